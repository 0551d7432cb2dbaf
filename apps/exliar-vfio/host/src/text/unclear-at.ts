import { exliarErrors } from '../errors.ts'
import type { ConfigFile } from './config-file.ts'
import { lineAt } from './splice.ts'

/** The refusal to edit a file that is not understood, with the line that a position is in: `CONFIG_UNCLEAR`. */
export function unclearAt({ path, text }: ConfigFile, position: number, reason: string): Error {
  return exliarErrors.error('CONFIG_UNCLEAR', { path, line: lineAt(text, position), reason })
}
