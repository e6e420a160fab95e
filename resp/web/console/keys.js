// Keys by SCAN, and what they hold, a page at a time.

import { raw, run } from './api.js';
import { amount, fill, h, span, visible } from './dom.js';

const PAGE = 100;
const KEYS_MAX = 5000;
const SCANS = 50;  // of one look: where little fits, "more" goes on
const STRING_BYTES = 4096;

// How a page of each type is asked for: (db, key, from) -> {rows, next}; next null: that is all.
const READERS = {
  async string(db, key, from) {
    const end = from + STRING_BYTES - 1;
    const text = await run(db, 'GETRANGE', key, from, end);
    const size = await run(db, 'STRLEN', key);
    return { rows: [[`${from}`, text]], next: end + 1 < size ? end + 1 : null };
  },
  async list(db, key, from) {
    const rows = await run(db, 'LRANGE', key, from, from + PAGE - 1);
    return { rows: rows.map((value, i) => [`${from + i}`, value]),
             next: rows.length === PAGE ? from + PAGE : null };
  },
  async zset(db, key, from) {
    const flat = await run(db, 'ZRANGE', key, from, from + PAGE - 1, 'WITHSCORES');
    const rows = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      rows.push([flat[i + 1], flat[i]]);
    }
    return { rows, next: rows.length === PAGE ? from + PAGE : null };
  },
  async hash(db, key, from) {
    const [next, flat] = await run(db, 'HSCAN', key, from, 'COUNT', PAGE);
    const rows = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      rows.push([flat[i], flat[i + 1]]);
    }
    return { rows, next: next === '0' ? null : next };
  },
  async set(db, key, from) {
    const [next, members] = await run(db, 'SSCAN', key, from, 'COUNT', PAGE);
    return { rows: members.map((member) => ['', member]), next: next === '0' ? null : next };
  },
  async stream(db, key, from) {
    const entries = await run(db, 'XRANGE', key, from === 0 ? '-' : `(${from}`, '+', 'COUNT', PAGE);
    const rows = entries.map(([id, fields]) => {
      const pairs = [];
      for (let i = 0; i + 1 < fields.length; i += 2) {
        pairs.push(`${visible(fields[i])}: ${visible(fields[i + 1])}`);
      }
      return [id, pairs.join('\n'), true];
    });
    return { rows, next: rows.length === PAGE ? entries.at(-1)[0] : null };
  },
};

const HEADINGS = { string: ['from', 'bytes'], list: ['index', 'element'], zset: ['score', 'member'],
                   hash: ['field', 'value'], set: ['', 'member'], stream: ['id', 'fields'] };

const LENGTHS = { string: 'STRLEN', list: 'LLEN', zset: 'ZCARD', hash: 'HLEN', set: 'SCARD',
                  stream: 'XLEN' };

function detail(page, db, key, gone) {
  const rows = h('tbody');
  const more = h('button', { hidden: true }, 'more');
  const facts = h('p', { class: 'dim' });
  const heading = h('tr');
  const trouble = h('p', { class: 'bad', role: 'status' });
  const element = h('section', { class: 'card' }, h('h2', { class: 'bytes' }, visible(key)), facts,
    h('div', { class: 'row' },
      h('button', { onclick: () => expire() }, 'time to live'),
      h('button', { class: 'danger', onclick: () => remove() }, 'delete')),
    h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, heading), rows)), more, trouble);
  let type = 'none';
  let next = 0;

  async function read() {
    more.disabled = true;
    try {
      const got = await READERS[type](db, key, next);
      for (const [left, right, done] of got.rows) {
        rows.append(h('tr', {}, h('td', { class: 'bytes' }, visible(left)),
                      h('td', { class: 'bytes' }, done ? right : visible(right))));
      }
      next = got.next;
      more.hidden = next === null;
    } catch (error) {
      trouble.textContent = error.message;
    }
    more.disabled = false;
  }

  async function begin() {
    try {
      type = await run(db, 'TYPE', key);
      if (READERS[type] === undefined) {
        facts.textContent = 'there is no such key any more';
        return;
      }
      const [left, size, length, encoding] = await Promise.all([
        run(db, 'PTTL', key), run(db, 'MEMORY', 'USAGE', key), run(db, LENGTHS[type], key),
        run(db, 'OBJECT', 'ENCODING', key)]);
      facts.textContent = [type, encoding, `${length} ${type === 'string' ? 'bytes' : 'elements'}`,
        `about ${amount(size ?? 0)}`,
        left < 0 ? 'no time to live' : `${span(left / 1000)} left`].join(', ');
      fill(heading, HEADINGS[type].map((title) => h('th', {}, title)));
      await read();
    } catch (error) {
      trouble.textContent = error.message;
    }
  }

  async function remove() {
    await page.change(`Delete the key ${visible(key)} of database ${db}?`, 'delete', async () => {
      await run(db, 'DEL', key);
      gone();
    });
  }

  async function expire() {
    const seconds = h('input', { type: 'number', min: '0', 'aria-label': 'seconds' });
    await page.change('Seconds that this key has left; empty: for ever.', null, async () => {
      await (seconds.value === '' ? run(db, 'PERSIST', key) : run(db, 'EXPIRE', key, seconds.value));
      fill(rows);
      next = 0;
      await begin();
    }, seconds);
  }

  more.addEventListener('click', read);
  begin();
  return element;
}

export function keys(page) {
  const pattern = h('input', { type: 'search', value: '*', 'aria-label': 'pattern', 'data-focus': true });
  const database = h('select', { 'aria-label': 'database' });
  const type = h('select', { 'aria-label': 'type' },
    ['any type', ...Object.keys(READERS)].map((name) => h('option', {}, name)));
  const list = h('ul', { class: 'keys' });
  const more = h('button', { hidden: true }, 'more');
  const said = h('p', { class: 'dim', role: 'status' });
  const right = h('div');
  let cursor = '0';
  const found = new Set();  // as JSON: SCAN may tell a key twice
  let asked = 0;  // what an older search brings is thrown away

  for (let db = 0; db < Math.min(64, page.databases()); db += 1) {
    database.append(h('option', { value: db }, `db${db}`));
  }

  function entry(db, key) {
    const kind = h('span', { class: 'type' });
    const button = h('button', { onclick: () => {
      list.querySelector('[aria-current]')?.removeAttribute('aria-current');
      button.setAttribute('aria-current', 'true');
      fill(right, detail(page, db, key, () => {
        button.parentElement.remove();
        fill(right);
      }));
    } }, kind, h('span', { class: 'bytes' }, visible(key)));
    raw(db, ['TYPE', key]).then((reply) => { kind.textContent = visible(reply); }, () => {});
    return h('li', {}, button);
  }

  async function scan(fresh) {
    const mine = asked += 1;
    const db = Number(database.value);
    if (fresh) {
      cursor = '0';
      found.clear();
      fill(list);
      fill(right);
    }
    more.disabled = true;
    try {
      const target = found.size + PAGE;
      let scans = 0;
      do {
        const words = ['SCAN', cursor, 'MATCH', pattern.value || '*', 'COUNT', 500];
        if (type.selectedIndex > 0) {
          words.push('TYPE', type.value);
        }
        const [next, page_of] = await run(db, ...words);
        if (mine !== asked) {
          return;
        }
        cursor = next;
        scans += 1;
        for (const key of page_of) {
          const name = JSON.stringify(key);
          if (found.size < KEYS_MAX && !found.has(name)) {
            found.add(name);
            list.append(entry(db, key));
          }
        }
      } while (cursor !== '0' && found.size < target && scans < SCANS);
      said.textContent = `${found.size} keys${cursor === '0' ? '' : ', and there may be more'}`;
    } catch (error) {
      said.textContent = error.message;
    }
    more.disabled = false;
    more.hidden = cursor === '0' || found.size >= KEYS_MAX;
  }

  pattern.addEventListener('keydown', (event) => event.key === 'Enter' && scan(true));
  database.addEventListener('change', () => scan(true));
  type.addEventListener('change', () => scan(true));
  more.addEventListener('click', () => scan(false));
  list.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = [...list.querySelectorAll('button')];
    const next = all[all.indexOf(document.activeElement) + (step ?? NaN)];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });
  scan(true);
  return { element: h('div', { class: 'split' },
    h('section', { class: 'card' },
      h('div', { class: 'row' }, pattern, database, type, h('button', { onclick: () => scan(true) }, 'look')),
      list, more, said), right) };
}
