const named = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'page-up'],
  ['pageDown', 'page-down'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'escape'],
  ['backspace', 'backspace'],
  ['delete', 'backspace'],
]
/** What was pressed: `up`, `ctrl-c`, `g`. What came together comes apart again. */
export function pressedKeys(input, key) {
  const found = named.find(([flag]) => key[flag])
  if (found !== undefined) return [{ key: found[1], alone: true }]
  if (key.tab) return [{ key: key.shift ? 'shift-tab' : 'tab', alone: true }]
  if (key.meta) return []
  if (key.ctrl) return input === '' ? [] : [{ key: `ctrl-${input}`, alone: true }]
  const characters = Array.from(input)
  return characters.map((character) => ({ key: controls[character] ?? character, alone: characters.length === 1 }))
}
const controls = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u0003': 'ctrl-c',
  '\u0011': 'ctrl-q',
  '\u007F': 'backspace',
}
//# sourceMappingURL=key-name.js.map
