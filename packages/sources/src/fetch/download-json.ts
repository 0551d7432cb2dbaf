import { isUtf8 } from 'node:buffer'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { sourceErrors } from '../errors.ts'
import { shownUrl, type FetchHome } from './fetch-home.ts'
import type { FetchOptions } from './fetcher.ts'
import { guardedDownload, type Downloading, type Wanted } from './guarded-download.ts'

/** Nesting of a value from outside. */
const mostDepth = 32

/** Downloads a JSON text with one meaning; see {@link guardedDownload}. Errors: also `FETCH_RESPONSE_INVALID` for other texts. */
export async function downloadJson(
  home: FetchHome,
  wanted: Omit<Wanted, 'type'>,
  options: FetchOptions,
  downloading?: Downloading,
): Promise<unknown> {
  const { bytes } = await guardedDownload(home, { ...wanted, type: 'json' }, options, downloading)
  return jsonIn(bytes, shownUrl(wanted.url))
}

/** The value of a text from outside. Errors: `FETCH_RESPONSE_INVALID`. */
export function jsonIn(bytes: Uint8Array, place: string): unknown {
  const parsed = isUtf8(bytes) ? parseStrictJson(Buffer.from(bytes).toString('utf8'), mostDepth) : undefined
  if (parsed?.kind === 'value') return parsed.value
  throw sourceErrors.error('FETCH_RESPONSE_INVALID', { place, problem: 'it is not JSON that has one meaning' })
}
