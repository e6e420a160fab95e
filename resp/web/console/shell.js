// A command line, as redis-cli has it.

import { raw } from './api.js';
import { h, visible } from './dom.js';

const OUTPUTS_MAX = 200;
const history = [];

// Words in the quoting of redis-cli; null: a quote is not closed.
export function split(line) {
  const words = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)/gy;
  const text = line.trim();
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) {
      return null;
    }
    if (found[1] !== undefined) {
      words.push(unescape(found[1]));
    } else {
      words.push(found[2] !== undefined ? found[2].replace(/\\'/g, "'") : found[3]);
    }
    at = pattern.lastIndex;
  }
  return words;
}

const ESCAPES = { n: 10, r: 13, t: 9, b: 8, a: 7 };

function unescape(text) {
  const bytes = [];
  const encoder = new TextEncoder();
  for (const [, hex, escaped, plain] of text.matchAll(/\\x([0-9a-fA-F]{2})|\\(.)|([^\\]+)/gs)) {
    if (hex !== undefined) {
      bytes.push(parseInt(hex, 16));
    } else if (escaped !== undefined) {
      bytes.push(...(ESCAPES[escaped] === undefined ? encoder.encode(escaped) : [ESCAPES[escaped]]));
    } else {
      bytes.push(...encoder.encode(plain));
    }
  }
  return Uint8Array.from(bytes);
}

export function lines(reply, indent = '') {
  if (Array.isArray(reply)) {
    if (reply.length === 0) {
      return ['(empty array)'];
    }
    const width = String(reply.length).length;
    return reply.flatMap((item, i) => {
      const head = `${String(i + 1).padStart(width)}) `;
      const inner = lines(item, indent + ' '.repeat(head.length));
      return [(i === 0 ? '' : indent) + head + inner[0], ...inner.slice(1)];
    });
  }
  if (typeof reply === 'number' || reply?.integer !== undefined) {
    return [`(integer) ${visible(reply)}`];
  }
  if (reply?.error !== undefined) {
    return [`(error) ${visible(reply.error)}`];
  }
  // Reports stand on lines of their own.
  return typeof reply === 'string' && /^# |\r\n/.test(reply)
    ? reply.split(/\r?\n/).map(visible) : [visible(reply)];
}

export function shell(page) {
  const output = h('div', { class: 'output', role: 'log', 'aria-label': 'replies' });
  const input = h('input', { type: 'text', spellcheck: 'false', autocapitalize: 'off',
                             autocomplete: 'off', 'aria-label': 'command',
                             placeholder: 'GET key', 'data-focus': true });
  const database = h('input', { type: 'number', min: '0', value: '0', 'aria-label': 'database' });
  let at = history.length;

  function show(line, text, kind) {
    output.append(h('div', {}, h('pre', { class: 'dim' }, `db${database.value}> ${line}`),
                    h('pre', { class: kind }, text)));
    while (output.childElementCount > OUTPUTS_MAX) {
      output.firstElementChild.remove();
    }
    output.scrollTop = output.scrollHeight;
  }

  async function go() {
    const line = input.value.trim();
    if (line === '') {
      return;
    }
    if (history.at(-1) !== line) {
      history.push(line);
      history.splice(0, Math.max(0, history.length - OUTPUTS_MAX));
    }
    at = history.length;
    input.value = '';
    const words = split(line);
    if (words === null) {
      show(line, 'a quote is not closed', 'bad');
      return;
    }
    try {
      const reply = await page.unlocking(() => raw(database.value, words));
      show(line, lines(reply).join('\n'), reply?.error === undefined ? '' : 'bad');
    } catch (error) {
      show(line, error.message, 'bad');
    }
  }

  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') {
      go();
    } else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
      event.preventDefault();
      at = Math.min(history.length, Math.max(0, at + (event.key === 'ArrowUp' ? -1 : 1)));
      input.value = history[at] ?? '';
    }
  });
  return { element: h('section', { class: 'card' }, h('h2', {}, 'Command line'), output,
    h('div', { class: 'row' }, input, database, h('button', { onclick: go }, 'send'))) };
}
