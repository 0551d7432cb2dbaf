import { bundledSilence, unsignedTaken, type Case, type Rule } from './case.ts'
import { printable } from './printable.ts'

/** How many reasons one sentence holds. */
const mostReasons = 4

/** Somebody the policy knows signed exactly this. */
export const signatureRule: Rule = (about) => {
  if (about.subject.origin === 'bundled') return bundledSilence
  const good = about.said.filter(({ kind }) => kind === 'vouches')
  const rest = about.said.filter(({ kind }) => kind !== 'vouches')
  const without = rest.length === 0 ? '' : `; does not count: ${listed(rest)}`
  const [first] = good
  if (first !== undefined) {
    const sentences = good.slice(0, mostReasons).map(({ reason }) => reason)
    return { outcome: 'passed', reason: sentences.join(', ') + without, file: first.file }
  }
  const worst = rest.find(({ kind }) => kind === 'broken') ?? rest[0]
  const reason = worst === undefined ? 'nobody signed it' : `nobody the policy knows signed it: ${listed(rest)}`
  const file = worst === undefined ? {} : { file: worst.file }
  const taken = unsignedTaken(about)
  if (taken !== undefined) return { outcome: 'waived', reason: `${reason}; ${taken} takes it`, ...file }
  return { outcome: 'refused', reason, ...file, fix: fixOfSignature(about, worst?.kind === 'broken') }
}

/** Whoever signed may publish this id, and enough of them did. */
export const publisherRule: Rule = (about) => {
  const { subject, publisher, vouching } = about
  if (subject.origin === 'bundled') return bundledSilence
  const taken = unsignedTaken(about)
  if (publisher === undefined || vouching === undefined) {
    const reason = `the policy names nobody who may publish ${subject.id}`
    if (taken !== undefined) return { outcome: 'waived', reason: `${reason}; ${taken} takes it` }
    return { outcome: 'refused', reason, fix: fixOfPublisher(subject) }
  }
  const { count, threshold, missing, withoutKey } = vouching
  const keyless = withoutKey.length === 0 ? '' : `; the policy names and does not hold ${keys(withoutKey)}`
  const counted = `${count} of ${threshold} signers of ${publisher.name} that are needed signed it${keyless}`
  if (count >= threshold) return { outcome: 'passed', reason: counted }
  const reason = `${counted}; missing: ${missing.slice(0, mostReasons).join(', ')}`
  if (taken !== undefined) return { outcome: 'waived', reason: `${reason}; ${taken} takes it` }
  const [key] = withoutKey
  const fix =
    key === undefined
      ? `Let the missing signers of ${publisher.name} sign ${subject.id}@${subject.version}, or name its source ${subject.source} under allowUnsigned while you develop it.`
      : `Write the public key of ${key} under keys.${key}.publicKey of the trust policy.`
  return { outcome: 'refused', reason, fix }
}

function fixOfSignature({ subject, publisher }: Case, broken: boolean): string {
  const { id, version, source } = subject
  if (broken)
    return `Fetch ${id}@${version} again from its publisher; if it stays so, ask them to sign it again with a key that counts.`
  if (publisher === undefined) return fixOfPublisher(subject)
  return `Ask ${publisher.name} for a signed ${id}@${version}, or name its source ${source} under allowUnsigned while you develop it.`
}

function fixOfPublisher({ id, source }: Case['subject']): string {
  const pattern = `${id.slice(0, Math.max(id.indexOf('/'), 0))}/*`
  return (
    `In the trust policy, write the publisher's public key under keys.<name>.publicKey and ` +
    `{"name": "…", "ids": "${pattern}", "signers": [{"key": "<name>"}]} under publishers; ` +
    `for a package of your own that nobody signs yet, name its source "${source}" under allowUnsigned.`
  )
}

function listed(said: readonly { readonly file: string; readonly reason: string }[]): string {
  const sentences = said.slice(0, mostReasons).map(({ file, reason }) => `${printable(file)}: ${reason}`)
  return sentences.join(', ') + (said.length > mostReasons ? ` and ${said.length - mostReasons} more` : '')
}

function keys(names: readonly string[]): string {
  return `${names.length === 1 ? 'key' : 'keys'} ${names.slice(0, mostReasons).join(', ')}`
}
