// The cluster as this node sees it, and what it does.

import { amount, count, fill, h, s, span } from './dom.js';
import { Plot } from './plots.js';

const SIZE = 420;

function place(index, of) {
  const angle = (index / of) * 2 * Math.PI - Math.PI / 2;
  const radius = of === 1 ? 0 : SIZE * 0.33;
  return [SIZE / 2 + radius * Math.cos(angle), SIZE / 2 + radius * Math.sin(angle)];
}

function topology(state) {
  const places = new Map(state.members.map(
    (member, i) => [member.id, place(i, state.members.length)]));
  const self = places.get(state.id);
  const drawing = s('svg', { viewBox: `0 0 ${SIZE} ${SIZE}`, role: 'img',
                             'aria-label': `${state.members.length} nodes, node ${state.leader} leads` });
  for (const member of state.members) {
    if (!member.self && self) {
      const [x, y] = places.get(member.id);
      drawing.append(s('line', { class: `link ${member.linked ? 'up' : 'down'}`,
                                 x1: self[0], y1: self[1], x2: x, y2: y }));
    }
  }
  for (const member of state.members) {
    const [x, y] = places.get(member.id);
    const leads = member.id === state.leader;
    const group = s('g', { class: `node ${leads ? 'leader' : ''} ${member.linked ? '' : 'lost'}`,
                           'data-node': member.id });
    group.append(s('circle', { cx: x, cy: y, r: 42 }));
    group.append(s('text', { x, y: y - 2 }, `node ${member.id}`));
    const role = leads ? (state.ready ? 'leader' : 'elected') : member.voter ? 'follower' : 'learner';
    group.append(s('text', { x, y: y + 14, class: 'small' }, member.self ? `${role}, here` : role));
    group.append(s('text', { x, y: y + 58, class: 'small' }, member.address));
    if (member.lag_entries !== undefined && !member.self) {
      group.append(s('text', { x, y: y + 72, class: 'small' },
                     member.lag_entries === 0 ? 'up to date' : `${member.lag_entries} entries behind`));
    }
    drawing.append(group);
  }
  return drawing;
}

function number(name, value, kind = '') {
  return h('div', { class: 'number' }, h('b', { class: kind }, value), h('span', {}, name));
}

function numbers(state) {
  const serves = state.service === 'up';
  const keys = state.keyspace.reduce((sum, db) => sum + db.keys, 0);
  return h('section', { class: 'card numbers' },
    number('service', state.drained ? 'drained' : state.service,
           serves && !state.drained ? 'good' : 'warn'),
    number('role', state.role),
    number('leader', state.leader === 0 ? 'none' : `node ${state.leader}`,
           state.leader === 0 ? 'bad' : ''),
    number('term', state.term),
    number('committed', count(state.commit)),
    number('not applied', count(Math.max(0, state.commit - state.applied))),
    number('keys', count(keys)),
    number('clients', state.clients),
    number('memory', amount(state.memory)),
    number('disk free', amount(state.disk_free), state.disk_full ? 'bad' : ''),
    number('data on disk', amount(state.state_bytes + state.log_bytes)),
    number('pressure', `${(state.pressure / 10).toFixed(0)} %`, state.pressure > 0 ? 'warn' : ''),
    number('up for', span(state.uptime_s)),
    number('version', `${state.version} / ${state.cluster_version}`));
}

function transfers(state) {
  const lines = state.snapshot.sending.map(
    (one) => `snapshot to node ${one.to}: ${amount(one.bytes)} of ${amount(one.total)}`);
  if (state.snapshot.receiving) {
    lines.push(`receives a snapshot: ${amount(state.snapshot.bytes)} of ${amount(state.snapshot.total)}`);
  }
  return lines.map((line) => h('p', { class: 'warn' }, line));
}

export function overview(page) {
  const figures = h('div');
  const picture = h('section', { class: 'card' });
  const plots = [
    new Plot('Commands a second', [['commands', 'commands', '--green'], ['errors', 'errors', '--red']], count),
    new Plot('From arrival to reply', [['median', 'median', '--green'], ['slow', '99 %', '--amber']], span),
    new Plot('Log syncs and commits, 99 %', [['sync', 'sync', '--blue'], ['commit', 'commit', '--violet']], span),
    new Plot('Followers behind', [['lag', 'oldest entry lacked', '--amber']], span),
    new Plot('Entries not applied here', [['behind', 'entries', '--blue']], count),
    new Plot('Memory', [['memory', 'used', '--violet']], amount),
  ];
  const element = h('div', { class: 'grid' }, picture, h('div', {}, figures), plots.map((p) => p.element));
  return {
    element,
    update(state, history) {
      fill(figures, numbers(state), transfers(state));
      fill(picture, h('h2', {}, 'The cluster, as this node sees it'), topology(state));
      for (const plot of plots) {
        plot.draw(history.samples);
      }
      page.note(`node ${state.id}`);
    },
  };
}
