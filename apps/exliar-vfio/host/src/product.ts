import { readFileSync } from 'node:fs'

/** SemVer of the API that plugins are offered. Source: seed 004, "Plugin Versioning and Compatibility". */
export const pluginApiVersion = '1.0.0'

let version: string | undefined

/** Of the program. */
export function productVersion(): string {
  version ??= (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
  return version
}
