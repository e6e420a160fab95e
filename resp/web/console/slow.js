// What took long: commands, and events of the node.

import { watch } from './api.js';
import { fill, h, span, visible } from './dom.js';

const EVERY_MS = 5000;

function table(titles, rows) {
  return h('div', { class: 'scroll' }, h('table', {},
    h('thead', {}, h('tr', {}, titles.map((title) => h('th', {}, title)))),
    h('tbody', {}, rows.map((cells) => h('tr', {}, cells.map((cell, i) =>
      h('td', { class: i === cells.length - 1 ? 'bytes' : 'num' }, cell)))))));
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleString();

export function slow() {
  const commands = h('section', { class: 'card' });
  const events = h('section', { class: 'card' });
  let looked = 0;

  async function look() {
    try {
      const [log, latest, least] = await Promise.all([
        watch(0, 'SLOWLOG', 'GET', 64), watch(0, 'LATENCY', 'LATEST'),
        watch(0, 'CONFIG', 'GET', 'slowlog-log-slower-than')]);
      fill(commands, h('h2', {}, 'Slow commands of this node\'s clients'),
        h('p', { class: 'dim' }, `executed for at least ${visible(least[1])} us (slowlog-log-slower-than)`),
        table(['at', 'took', 'client', 'command'], log.map(([, at, us, words, address, name]) => [
          clock(at), span(us / 1e6), visible(name === '' ? address : `${address} ${visible(name)}`),
          words.map(visible).join(' ')])));
      fill(events, h('h2', {}, 'Latency events'),
        h('p', { class: 'dim' }, 'of at least latency-monitor-threshold milliseconds; 0 keeps none'),
        table(['last', 'took', 'longest', 'event'], latest.map(([name, at, ms, most]) => [
          clock(at), span(ms / 1e3), span(most / 1e3), visible(name)])));
    } catch (error) {
      fill(events, h('p', { class: 'bad' }, error.message));
    }
  }

  return {
    element: h('div', { class: 'split' }, commands, events),
    update() {
      if (Date.now() - looked > EVERY_MS) {
        looked = Date.now();
        look();
      }
    },
  };
}
