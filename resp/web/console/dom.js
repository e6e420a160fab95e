// Elements, and bytes as text. Whatever comes from the data becomes text of an element, never markup.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (name === 'class') {
      element.className = value;
    } else if (typeof value === 'boolean') {
      element.toggleAttribute(name, value);
    } else if (value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function s(tag, props = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(props)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

const NAMED = { 9: '\\t', 10: '\\n', 13: '\\r', 92: '\\\\' };

// What a person reads of a value: controls, and characters that turn the direction of writing or are
// not to be seen, stand as escapes, so that a name cannot look like another one.
export function visible(value) {
  if (value === null || value === undefined) {
    return '(nil)';
  }
  if (typeof value === 'number') {
    return String(value);
  }
  if (value.integer !== undefined) {
    return value.integer;
  }
  if (value.hex !== undefined) {
    return value.hex.replace(/../g, (byte) => {
      const code = parseInt(byte, 16);
      return code >= 32 && code < 127 && code !== 92 ? String.fromCharCode(code) : `\\x${byte}`;
    });
  }
  return String(value).replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\\\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => {
      const code = character.charCodeAt(0);
      return NAMED[code] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}`
        : `\\u${code.toString(16).padStart(4, '0')}`);
    });
}

export function amount(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

export function count(value) {
  if (value >= 1e6) {
    return `${(value / 1e6).toFixed(1)} M`;
  }
  return value >= 1e4 ? `${(value / 1e3).toFixed(1)} k` : String(Math.round(value * 10) / 10);
}

export function span(seconds) {
  if (seconds < 1e-3) {
    return `${(seconds * 1e6).toFixed(0)} us`;
  }
  if (seconds < 1) {
    return `${(seconds * 1e3).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
  }
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min']];
  const fitting = parts.find(([size]) => seconds >= 2 * size);
  return fitting ? `${Math.floor(seconds / fitting[0])} ${fitting[1]}` : `${seconds.toFixed(1)} s`;
}
