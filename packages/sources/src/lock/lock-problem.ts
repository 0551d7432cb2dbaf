import { findNodeAtLocation, parseTree } from 'jsonc-parser'
import type { FetchKind } from '../fetch/fetcher.ts'
import type { JsonProblem } from '../json-problem.ts'

/** Members of a place that must be there, by kind. */
const placeMembers: Readonly<Record<FetchKind, readonly string[]>> = {
  npm: ['registry', 'name', 'version', 'integrity'],
  git: ['url', 'commit'],
  oci: ['reference', 'digest'],
  index: ['index', 'url', 'digest'],
  archive: ['url', 'digest'],
  directory: ['path', 'digest'],
}

const digestPattern = /^sha256:[0-9a-f]{64}$/
const idPattern = /^[a-z0-9][a-z0-9-]{0,63}\/[a-z0-9][a-z0-9-]{0,63}$/

type Path = readonly string[]

/** What is wrong with a lock's shape, and where; undefined when nothing is. */
export function lockProblem(text: string, value: unknown): JsonProblem | undefined {
  const flaw = flawOf(value)
  return flaw === undefined ? undefined : { problem: flaw.problem, ...lineOf(text, flaw.path) }
}

interface Flaw {
  readonly path: Path
  readonly problem: string
}

function flawOf(value: unknown): Flaw | undefined {
  if (!isObject(value)) return { path: [], problem: 'a lock must be an object' }
  const { lockVersion, plugins } = value
  if (lockVersion !== 1) return { path: ['lockVersion'], problem: 'lockVersion must be 1' }
  if (!isObject(plugins)) return { path: ['plugins'], problem: 'plugins must be an object' }
  for (const [id, plugin] of Object.entries(plugins)) {
    const flaw = idPattern.test(id) ? pluginFlaw(plugin) : { path: [], problem: `"${id}" is no plugin id` }
    if (flaw !== undefined) return { path: ['plugins', id, ...flaw.path], problem: flaw.problem }
  }
  return undefined
}

function pluginFlaw(plugin: unknown): Flaw | undefined {
  if (!isObject(plugin)) return { path: [], problem: 'a plugin must be an object' }
  const { version, requested = '', publisher = '', permissions, withheld = [], dependencies, artifacts } = plugin
  for (const [name, text] of Object.entries({ version, requested, publisher })) {
    if (typeof text !== 'string') return { path: [name], problem: `${name} must be a string` }
  }
  for (const [name, list] of Object.entries({ permissions, withheld })) {
    if (!Array.isArray(list) || !list.every(isString)) return { path: [name], problem: `${name} must be a list of strings` }
  }
  if (!isObject(dependencies) || !Object.values(dependencies).every(isString)) {
    return { path: ['dependencies'], problem: 'dependencies must be ranges by id' }
  }
  if (!isObject(artifacts) || Object.keys(artifacts).length === 0) {
    return { path: ['artifacts'], problem: 'artifacts must hold at least one platform' }
  }
  for (const [platform, artifact] of Object.entries(artifacts)) {
    const flaw = artifactFlaw(artifact)
    if (flaw !== undefined) return { path: ['artifacts', platform, ...flaw.path], problem: flaw.problem }
  }
  return undefined
}

function artifactFlaw(artifact: unknown): Flaw | undefined {
  if (!isObject(artifact)) return { path: [], problem: 'an artifact must be an object' }
  const { digest, archive, archiveSha512, place, publishedAtMs = 0 } = artifact
  if (typeof publishedAtMs !== 'number') return { path: ['publishedAtMs'], problem: 'publishedAtMs must be a number' }
  for (const [name, text] of Object.entries({ digest, ...(archive === undefined ? {} : { archive }) })) {
    if (!isString(text) || !digestPattern.test(text)) return { path: [name], problem: `${name} must be sha256: and 64 digits` }
  }
  if (archiveSha512 !== undefined && !(isString(archiveSha512) && /^sha512:[0-9a-f]{128}$/.test(archiveSha512))) {
    return { path: ['archiveSha512'], problem: 'archiveSha512 must be sha512: and 128 digits' }
  }
  const kind = isObject(place) ? place['kind'] : undefined
  if (!isObject(place) || !isString(kind) || !Object.hasOwn(placeMembers, kind)) {
    return { path: ['place', 'kind'], problem: `kind must be one of ${Object.keys(placeMembers).join(', ')}` }
  }
  const missing = placeMembers[kind as FetchKind].find((member) => !isString(place[member]))
  return missing === undefined ? undefined : { path: ['place', missing], problem: `${missing} must be a string` }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

/** Where a member is; where it is missing, the nearest thing around it. */
function lineOf(text: string, path: Path): { readonly line: number; readonly column: number } {
  const tree = parseTree(text)
  const outward = path.map((_, at) => path.slice(0, path.length - at))
  const nodes = tree === undefined ? [] : outward.map((each) => findNodeAtLocation(tree, [...each]))
  const offset = nodes.find((node) => node !== undefined)?.offset ?? 0
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}
