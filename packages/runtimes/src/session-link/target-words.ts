import type { Target } from '@backplane/kernel'

/** What may be done to a target; the first word of its text. */
export type TargetVerb = 'call' | 'stream' | 'open' | 'close'

/**
 * A target as the text a session carries: five words, `call hypersdk.provider disk-images list_vms 3`, with `-` for no
 * instance. Names hold no spaces; text with another number of words is no target.
 */
export function targetWords(verb: TargetVerb, { point, name, method, instance }: Target): string {
  return `${verb} ${point} ${name} ${method} ${instance ?? '-'}`
}

const callWordsByTarget = new WeakMap<Target, string>()

/** {@link targetWords} for a call; a dispatcher calls the same few targets again and again. */
export function callWords(target: Target): string {
  const known = callWordsByTarget.get(target)
  if (known !== undefined) return known
  const words = targetWords('call', target)
  callWordsByTarget.set(target, words)
  return words
}

/** What a text names. */
export interface ParsedTarget {
  readonly verb: TargetVerb
  readonly target: Target
}

const mostParsed = 1_024
const parsedTargets = new Map<string, ParsedTarget>()

/** The other way round; undefined when the text is no target. */
export function parseTarget(text: string): ParsedTarget | undefined {
  const known = parsedTargets.get(text)
  if (known !== undefined) return known
  const parsed = parse(text)
  if (parsed === undefined) return undefined
  // Whoever names ever new targets only makes itself slower.
  if (parsedTargets.size >= mostParsed) parsedTargets.clear()
  parsedTargets.set(text, parsed)
  return parsed
}

function parse(text: string): ParsedTarget | undefined {
  const [verb, point, name, method, instance, ...rest] = text.split(' ')
  if (point === undefined || name === undefined || method === undefined || instance === undefined) return undefined
  if (rest.length > 0 || !isVerb(verb)) return undefined
  if (instance === '-') return { verb, target: { point, name, method } }
  return /^\d{1,15}$/.test(instance) ? { verb, target: { point, name, method, instance: Number(instance) } } : undefined
}

function isVerb(word: string | undefined): word is TargetVerb {
  return word === 'call' || word === 'stream' || word === 'open' || word === 'close'
}
