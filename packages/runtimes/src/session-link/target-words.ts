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

/** The other way round; undefined when the text is no target. */
export function parseTarget(text: string): { readonly verb: TargetVerb; readonly target: Target } | undefined {
  const [verb, point, name, method, instance, ...rest] = text.split(' ')
  if (point === undefined || name === undefined || method === undefined || instance === undefined) return undefined
  if (rest.length > 0 || !isVerb(verb)) return undefined
  if (instance === '-') return { verb, target: { point, name, method } }
  return /^\d{1,15}$/.test(instance) ? { verb, target: { point, name, method, instance: Number(instance) } } : undefined
}

function isVerb(word: string | undefined): word is TargetVerb {
  return word === 'call' || word === 'stream' || word === 'open' || word === 'close'
}
