// What the page asks of its node. Commands travel as a client would write them, so that any bytes can.

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

let token = '';
const encoder = new TextEncoder();

function bytesOf(word) {
  if (word instanceof Uint8Array) {
    return word;
  }
  if (word !== null && typeof word === 'object' && word.hex !== undefined) {
    return Uint8Array.from(word.hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  }
  return encoder.encode(String(word));
}

export function resp(words) {
  const parts = [encoder.encode(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = bytesOf(word);
    parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes, encoder.encode('\r\n'));
  }
  return new Blob(parts);
}

async function ask(method, path, body) {
  const options = { method, cache: 'no-store', signal: AbortSignal.timeout(15000) };
  if (method !== 'GET') {
    options.headers = { 'X-Kiwi-Token': token };
    options.body = body;
  }
  const answer = await fetch(path, options);
  const text = await answer.text();
  let said = {};
  try {
    said = JSON.parse(text);
  } catch {
    said = { error: text.trim() };  // a node that opens its data, or has too much to do
  }
  if (!answer.ok) {
    throw Object.assign(new Refused(answer.status, said.error ?? said.text ?? answer.statusText),
                        { said });
  }
  return said;
}

function keep(session) {
  token = session.token ?? token;
  return session;
}

export const session = async () => keep(await ask('GET', '/api/session'));
export const login = async (user, password) =>
  keep(await ask('POST', '/api/login', resp([user, password])));
export const logout = () => ask('DELETE', '/api/login');
export const unlock = async (password) => keep(await ask('POST', '/api/unlock', resp([password])));
export const lock = async () => keep(await ask('DELETE', '/api/unlock'));
export const state = () => ask('GET', '/api/state');
export const drain = (on) => ask(on ? 'POST' : 'DELETE', '/api/drain');

// One after the other, a few at a time: the node takes eight of a login.
let running = 0;
const waiting = [];
async function turn(work) {
  if (running >= 4) {
    await new Promise((go) => { waiting.push(go); });
  }
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

// The reply as it is, {error} too.
export const raw = (db, words, query = '') => turn(async () =>
  (await ask('POST', `/api/command?db=${encodeURIComponent(db)}${query}`, resp(words))).reply);

function good(reply) {
  if (reply !== null && typeof reply === 'object' && reply.error !== undefined) {
    throw new Error(reply.error);
  }
  return reply;
}

export const run = async (db, ...words) => good(await raw(db, words));
// What the page asks by itself again and again: nobody need sit before it, so it keeps no login alive.
export const watch = async (db, ...words) => good(await raw(db, words, '&watch'));
