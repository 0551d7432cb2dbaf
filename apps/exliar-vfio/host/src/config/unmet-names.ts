import { didYouMean } from '@backplane/sdk'
import type { ExliarConfig } from './exliar-config.ts'

/** A name in the configuration, and the key it stands in. */
interface Named {
  readonly name: string
  readonly key: string
  readonly at: string | number
  /** It may be said before the plugin is there: only what looks like another name is told. */
  readonly isBeforehand?: boolean
}

/** Where the configuration names a plugin that is not there: sentences with file and line, and the name that was meant. */
export function unmetNames({ plugins, locate }: ExliarConfig, ids: readonly string[]): readonly string[] {
  // Those from outside were not looked for.
  if (!plugins.enabled) return []
  const known = [...ids.map((id) => id.slice(id.indexOf('/') + 1)), ...ids]
  return namesIn(plugins).flatMap(({ name, key, at, isBeforehand = false }) => {
    const suggestion = didYouMean(name, known)
    if (known.includes(name) || (isBeforehand && suggestion === '')) return []
    return [`${locate(['plugins', key, at])}: plugins.${key} names ${name}, and there is no such plugin${suggestion}`]
  })
}

function namesIn({ config, waive, audit, allow = [], deny }: ExliarConfig['plugins']): readonly Named[] {
  const keys = (key: string, table: object): Named[] => Object.keys(table).map((name) => ({ name, key, at: name }))
  const list = (key: string, names: readonly string[], isBeforehand: boolean): Named[] =>
    names.map((name, at) => ({ name, key, at, isBeforehand }))
  return [
    ...keys('config', config),
    ...keys('waive', waive),
    ...list('audit', Array.isArray(audit) ? audit : [], false),
    ...list('allow', allow, true),
    ...list('deny', deny, true),
  ]
}
