// The page: login, views, the second's beat, dialogs.

import * as api from './api.js';
import { fill, h } from './dom.js';
import { keys } from './keys.js';
import { members } from './members.js';
import { overview } from './overview.js';
import { History } from './plots.js';
import { shell } from './shell.js';
import { slow } from './slow.js';

const VIEWS = [['Overview', overview], ['Keys', keys], ['Command line', shell], ['Slow', slow],
               ['Members', members]];
const BEAT_MS = 1000;

const main = document.getElementById('main');
const banner = document.getElementById('banner');
const dialog = document.getElementById('dialog');
const who = document.getElementById('who');
const views = document.getElementById('views');
const tools = document.getElementById('tools');

let session = null;
let view = null;
let current = 0;
let latest = null;
let unlockedUntil = 0;
let history = new History();

// ---------------------------------------------------------------- theme

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem('kiwi-theme', theme);
  } catch {
    // a browser that keeps nothing
  }
}
function firstTheme() {
  try {
    const kept = localStorage.getItem('kiwi-theme');
    if (kept === 'dark' || kept === 'light') {
      return kept;
    }
  } catch {
    // the same
  }
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}
const otherTheme = () => (document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');

// ---------------------------------------------------------------- dialogs

// Resolves to true when `yes` was pressed and `accept` did not throw.
function askFor(title, fields, yes, accept, danger = false) {
  return new Promise((resolve) => {
    const trouble = h('p', { class: 'bad', role: 'alert' });
    const go = h('button', { type: 'submit', class: danger ? 'danger' : '' }, yes);
    let done = false;
    const form = h('form', { onsubmit: async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        await accept();
        done = true;
        dialog.close();
      } catch (error) {
        trouble.textContent = error.message;
      }
      go.disabled = false;
    } }, h('p', {}, title), fields, h('div', { class: 'row' }, go,
      h('button', { type: 'button', onclick: () => dialog.close() }, 'cancel')), trouble);
    fill(dialog, form);
    dialog.addEventListener('close', () => {
      fill(dialog);
      resolve(done);
    }, { once: true });
    dialog.showModal();
    form.querySelector('input')?.focus();
  });
}

const isUnlocked = () => Date.now() < unlockedUntil;

function took(said) {
  session = said;
  unlockedUntil = Date.now() + said.unlocked_for_s * 1000;
  drawTools();
}

function unlock() {
  const password = h('input', { type: 'password', autocomplete: 'current-password', 'aria-label': 'password' });
  return askFor('Unlock changes for ten minutes?', session.password ? [password] : [], 'unlock',
    async () => took(await api.unlock(password.value)));
}

// Does `work`; if the node says that it changes something, asks to unlock changes and does it again.
async function unlocking(work) {
  try {
    return await work();
  } catch (error) {
    if (error.status !== 423 || !(await unlock())) {
      throw error;
    }
    return work();
  }
}

const page = {
  databases: () => session.databases,
  note(text) {
    who.textContent = text;
  },
  unlocking,
  // A change: asked for again, by typing `word` if there is one.
  async change(question, word, work, field = null) {
    if (!isUnlocked() && !(await unlock())) {
      return;
    }
    const typed = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false',
                               'aria-label': `type ${word}` });
    const fields = [field, word === null ? null
      : h('label', {}, 'Type ', h('code', {}, word), ' to go on: ', typed)];
    await askFor(question, fields.filter((one) => one !== null), 'do it', async () => {
      if (word !== null && typed.value !== word) {
        throw new Error('that is not the same');
      }
      await work();
    }, true);
  },
};

// ---------------------------------------------------------------- login

function showLogin(needsPassword, trouble = '') {
  session = null;
  view = null;
  fill(views);
  fill(tools);
  const user = h('input', { type: 'text', value: 'default', autocomplete: 'username' });
  const password = h('input', { type: 'password', autocomplete: 'current-password' });
  const said = h('p', { class: 'bad', role: 'alert' }, trouble);
  fill(main, h('form', { class: 'login card', onsubmit: async (event) => {
    event.preventDefault();
    try {
      await enter(await api.login(user.value, password.value));
    } catch (error) {
      said.textContent = error.message;
    }
  } }, h('h2', {}, 'Log in to this node'),
  h('label', {}, 'user', user), needsPassword ? h('label', {}, 'password', password) : null,
  h('button', { type: 'submit' }, 'log in'), said));
  (needsPassword ? password : user).focus();
}

async function enter(said) {
  took(said);
  fill(views, VIEWS.map(([name], i) => h('button', { onclick: () => show(i), title: `key ${i + 1}` }, name)));
  show(current);
  await look();
}

async function start() {
  try {
    await enter(await api.session());
  } catch (error) {
    if (error.status !== 401) {
      banner.textContent = `this node does not answer: ${error.message}`;
      banner.hidden = false;
      setTimeout(start, BEAT_MS * 2);
      return;
    }
    // On this machine a node without a password needs no login.
    if (error.said?.password === false) {
      try {
        await enter(await api.login('default', ''));
      } catch (refused) {
        showLogin(false, refused.message);
      }
      return;
    }
    showLogin(true);
  }
}

// ---------------------------------------------------------------- views

function drawTools() {
  fill(tools,
    h('button', { class: isUnlocked() ? 'open' : '', id: 'lock', title: 'key u', onclick: async () => {
      if (isUnlocked()) {
        took(await api.lock());
      } else {
        await unlock();
      }
    } }, isUnlocked() ? 'changes unlocked' : 'read only'),
    h('button', { title: 'key t', onclick: () => setTheme(otherTheme()) }, 'theme'),
    h('button', { onclick: async () => {
      const password = session?.password ?? true;
      await api.logout().catch(() => {});
      showLogin(password);
    } }, 'log out'));
}

function show(index) {
  current = index;
  [...views.children].forEach((button, i) => {
    if (i === index) {
      button.setAttribute('aria-current', 'page');
    } else {
      button.removeAttribute('aria-current');
    }
  });
  view = VIEWS[index][1](page);
  fill(main, view.element);
  if (latest !== null) {
    view.update?.(latest, history);
  }
  main.querySelector('[data-focus]')?.focus();
}

async function look() {
  try {
    const state = await api.state();
    banner.hidden = true;
    latest = state;
    history.add(state);
    view?.update?.(state, history);
    document.title = `Kiwi: node ${state.id}${state.leader === state.id ? ', leader' : ''}`;
    page.note(`node ${state.id}`);
  } catch (error) {
    if (error.status === 401 && session !== null) {
      showLogin(error.said?.password !== false, 'the login is over');
      return;
    }
    banner.textContent = error.status === 403 ? error.message
      : `this node does not answer: ${error.message}`;
    banner.hidden = false;
  }
}

async function beat() {
  if (session !== null && !document.hidden) {
    const button = document.getElementById('lock');
    if (button !== null && button.classList.contains('open') !== isUnlocked()) {
      drawTools();
    }
    await look();
  }
  setTimeout(beat, BEAT_MS);
}

document.addEventListener('keydown', (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (session === null || typing || dialog.open || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const index = Number(event.key) - 1;
  if (VIEWS[index]) {
    show(index);
  } else if (event.key === 't') {
    setTheme(otherTheme());
  } else if (event.key === 'u') {
    unlock();
  } else if (event.key === '/') {
    main.querySelector('input')?.focus();
  } else {
    return;
  }
  event.preventDefault();
});

setTheme(firstTheme());
start();
setTimeout(beat, BEAT_MS);
