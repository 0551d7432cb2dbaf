import { useInput, usePaste, useWindowSize } from 'ink'
import { createElement as h, useEffect, useSyncExternalStore } from 'react'
import { pressedKeys } from './key-name.js'
import { Screen } from './views/screen.js'
/** Draws the state of the store, and tells it of keys and of the size of the terminal. */
export function App({ store, colors }) {
  const state = useSyncExternalStore(store.subscribe, store.state)
  const { columns, rows } = useWindowSize()
  useEffect(() => store.happened({ kind: 'resized', columns, rows }), [store, columns, rows])
  useInput((input, key) => {
    for (const pressed of pressedKeys(input, key)) store.happened({ kind: 'key', ...pressed })
  })
  usePaste((text) => store.happened({ kind: 'pasted', text }))
  return h(Screen, { state, colors })
}
//# sourceMappingURL=app.js.map
