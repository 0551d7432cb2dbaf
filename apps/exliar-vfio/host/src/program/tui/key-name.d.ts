import type { Key } from 'ink'
/** One key as the reducer knows it. */
export interface PressedKey {
  readonly key: string
  /** It did not come together with others. */
  readonly alone: boolean
}
/** What was pressed: `up`, `ctrl-c`, `g`. What came together comes apart again. */
export declare function pressedKeys(input: string, key: Key): readonly PressedKey[]
//# sourceMappingURL=key-name.d.ts.map
