// What the node said each second of the last quarter of an hour, and lines of it on a canvas.

import { h } from './dom.js';

const SECONDS = 900;
export const ENDS = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05,
  0.1, 0.25, 0.5, 1, 2.5, 5, 10];

// Of what came between two looks at counters of buckets; null: nothing did.
export function percentile(before, now, share) {
  const came = now.map((value, i) => Math.max(0, value - before[i]));
  const all = came.reduce((sum, value) => sum + value, 0);
  if (all === 0) {
    return null;
  }
  let below = 0;
  for (let i = 0; i < came.length; i += 1) {
    if (below + came[i] >= all * share) {
      const from = i === 0 ? 0 : ENDS[i - 1];
      const to = ENDS[i] ?? 2 * ENDS.at(-1);
      return from + (to - from) * ((all * share - below) / came[i]);
    }
    below += came[i];
  }
  return null;
}

export class History {
  constructor() {
    this.samples = [];
    this.last = null;
  }

  add(state) {
    const last = this.last;
    this.last = state;
    // Another process of the node counts from 0.
    if (last === null || state.commands < last.commands || state.now_ms <= last.now_ms) {
      return;
    }
    const seconds = (state.now_ms - last.now_ms) / 1000;
    const lags = state.members.map((member) => member.lag_ms ?? 0);
    this.samples.push({
      at: state.now_ms,
      commands: (state.commands - last.commands) / seconds,
      errors: (state.errors - last.errors) / seconds,
      median: percentile(last.service_buckets, state.service_buckets, 0.5),
      slow: percentile(last.service_buckets, state.service_buckets, 0.99),
      sync: percentile(last.sync_buckets, state.sync_buckets, 0.99),
      commit: percentile(last.commit_buckets, state.commit_buckets, 0.99),
      lag: Math.max(0, ...lags) / 1000,
      behind: Math.max(0, state.commit - state.applied),
      memory: state.memory,
    });
    this.samples.splice(0, Math.max(0, this.samples.length - SECONDS));
  }
}

export class Plot {
  // lines: [name of the sample's field, what a person calls it, colour of the style]
  constructor(title, lines, text) {
    this.lines = lines;
    this.text = text;
    this.canvas = h('canvas', { role: 'img', 'aria-label': title });
    this.legend = h('div', { class: 'dim' });
    this.element = h('section', { class: 'card' }, h('h2', {}, title), this.canvas, this.legend);
  }

  draw(samples) {
    const { canvas, lines, text } = this;
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (width === 0) {
      return;
    }
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext('2d');
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const last = samples.at(-1);
    const most = Math.max(1e-9, ...samples.flatMap(
      (sample) => lines.map(([field]) => sample[field] ?? 0)));
    pen.strokeStyle = style.getPropertyValue('--line');
    pen.fillStyle = style.getPropertyValue('--dim');
    pen.font = '11px system-ui, sans-serif';
    for (const part of [0, 0.5, 1]) {
      const y = 14 + (height - 18) * (1 - part);
      pen.beginPath();
      pen.moveTo(0, y);
      pen.lineTo(width, y);
      pen.stroke();
      pen.fillText(text(most * part), 2, y - 3);
    }
    for (const [field, , colour] of lines) {
      pen.strokeStyle = style.getPropertyValue(colour);
      pen.lineWidth = 1.5;
      pen.beginPath();
      let drawn = false;
      for (const sample of samples) {
        const value = sample[field];
        if (value === null) {
          drawn = false;
          continue;
        }
        const x = width - ((last.at - sample.at) / 1000 / SECONDS) * width;
        const y = 14 + (height - 18) * (1 - value / most);
        if (drawn) {
          pen.lineTo(x, y);
        } else {
          pen.moveTo(x, y);
        }
        drawn = true;
      }
      pen.stroke();
    }
    this.legend.textContent = lines.map(([field, name]) => {
      const value = last?.[field];
      return `${name}: ${value === null || value === undefined ? '-' : text(value)}`;
    }).join('   ');
  }
}
