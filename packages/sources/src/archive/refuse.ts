import type { ErrorParameters, PlatformError } from '@backplane/sdk'
import { archiveErrors, type ArchiveErrorCode } from './errors.ts'

/** Where the fault is not one entry's. */
export const wholeArchive: unique symbol = Symbol('the archive')

/** The name of an entry, or {@link wholeArchive}. */
export type Culprit = string | typeof wholeArchive

/** The error that refuses an archive because of one of its entries. */
export function refuse(
  code: ArchiveErrorCode,
  culprit: Culprit,
  parameters: ErrorParameters = {},
  cause?: unknown,
): PlatformError {
  if (culprit === wholeArchive) return archiveErrors.error(code, { ...parameters, entry: 'the archive' }, { cause })
  const entry = shownName(culprit)
  return archiveErrors.error(code, { ...parameters, entry }, { details: { entry }, cause })
}

/**
 * A name from an archive as it may be shown on a terminal and in a log: quoted, with everything that does not print or would
 * turn the text around it escaped, and at most 120 characters of it.
 */
export function shownName(name: string): string {
  const text = name.length <= 120 ? name : `${name.slice(0, 119)}…`
  return JSON.stringify(text).replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}
