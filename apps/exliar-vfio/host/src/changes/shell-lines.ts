import type { FileMark } from './file-marks.ts'

/** A word as a shell takes it for one. */
export function shellQuoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** A call of the cleanup script's `put_back`: `after` is what exliar left there, or `any`, or `-` for nothing. */
export function putBackLine(path: string, after: string, before: FileMark | null): string {
  const { sha256 = '-', mode = 0, uid = 0, gid = 0, modifiedMs = 0 } = before ?? {}
  return ['put_back', shellQuoted(path), after, sha256, mode.toString(8), `${uid}:${gid}`, (modifiedMs / 1000).toFixed(6)].join(
    ' ',
  )
}
