// Who belongs to the cluster, and changes of that. Each asks for the node's number once more.

import { drain, run } from './api.js';
import { fill, h, visible } from './dom.js';

export function members(page) {
  const rows = h('tbody');
  const self = h('div', { class: 'row' });
  const id = h('input', { type: 'number', min: '1', 'aria-label': 'number of the new node', placeholder: 'number' });
  const address = h('input', { type: 'text', 'aria-label': 'its address', placeholder: 'host:port of its clients' });
  const said = h('p', { role: 'status' });
  let drawn = '';

  function act(question, number, words) {
    return page.change(question, String(number), async () => {
      said.textContent = 'under way';
      try {
        said.textContent = visible(await run(0, ...words));
      } catch (error) {
        said.textContent = error.message;
      }
    });
  }

  function add() {
    if (id.value === '' || address.value === '') {
      said.textContent = 'a number that was never used, and an address';
      return;
    }
    act(`Add node ${id.value} at ${address.value}? It runs and is empty.`, id.value,
        ['RAFT.NODE', 'ADD', id.value, address.value]);
  }

  function drainHere(state) {
    page.change(state.drained ? `Let node ${state.id} lead again, and be ready?`
      : `Drain node ${state.id}? It hands leadership over and is not ready for new clients.`,
    String(state.id), async () => {
      try {
        said.textContent = (await drain(!state.drained)).text;
      } catch (error) {
        said.textContent = error.message;
      }
    });
  }

  function row(state, member) {
    const leads = member.id === state.leader;
    const facts = [leads ? 'leader' : member.voter ? 'follower' : 'learner'];
    if (!member.linked) {
      facts.push('no link');
    }
    const lag = member.lag_entries === undefined || member.self ? '-' : String(member.lag_entries);
    return h('tr', { 'data-member': member.id }, h('td', { class: 'num' }, String(member.id)), h('td', { class: 'bytes' }, member.address),
      h('td', { class: member.linked ? '' : 'bad' }, facts.join(', ')), h('td', { class: 'num' }, lag),
      h('td', {}, h('div', { class: 'row' },
        h('button', { disabled: leads || !member.voter, onclick: () => act(
          `Hand leadership over to node ${member.id}?`, member.id,
          ['RAFT.TRANSFER_LEADER', member.id]) }, 'let it lead'),
        h('button', { class: 'danger', onclick: () => act(
          `Remove node ${member.id} from the cluster? It has no vote then, and its data is of no use.`,
          member.id, ['RAFT.NODE', 'REMOVE', member.id]) }, 'remove'))));
  }

  return {
    element: h('section', { class: 'card' }, h('h2', {}, 'Members'),
      h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {},
        ['node', 'address', 'role', 'entries behind', ''].map((title) => h('th', {}, title)))), rows)),
      self, h('h2', {}, 'A new node'),
      h('div', { class: 'row' }, id, address, h('button', { onclick: add }, 'add')), said),
    update(state) {
      // A row that is drawn anew takes the focus of its buttons away.
      const now = JSON.stringify([state.members, state.leader, state.drained]);
      if (now === drawn) {
        return;
      }
      drawn = now;
      fill(rows, state.members.map((member) => row(state, member)));
      fill(self, h('button', { class: 'danger', onclick: () => drainHere(state) },
        state.drained ? `take the drain of node ${state.id} back` : `drain node ${state.id}`));
    },
  };
}
