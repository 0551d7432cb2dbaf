/** Members by these names are never told. */
const secretName = /pass(?:word|phrase|wd)?$|secret|token|api_?key|private_?key|credential|authorization|cookie/i
/** What looks like a credential in a text: of a header, or of a URL. */
const secretText = /(?<=\b(?:bearer|basic)\s+)\S+|(?<=:\/\/)[^\s/@]+(?=@)/gi
/** Everything below a space, and what turns text around. */
const unprintable = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu

const longestText = 500
const mostMembers = 25
const deepest = 4

/**
 * The value as it may be told outside: members with names of secrets and credentials in texts are blanked, control
 * characters taken out, and everything is cut to a size that every service takes.
 */
export function withoutSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.replace(unprintable, ' ').replace(secretText, '***').slice(0, longestText)
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value
  if (depth >= deepest) return '…'
  if (Array.isArray(value)) return value.slice(0, mostMembers).map((member) => withoutSecrets(member, depth + 1))
  if (value instanceof Uint8Array) return `${value.length} bytes`
  const members = Object.entries(value).slice(0, mostMembers)
  return Object.fromEntries(
    members.map(([name, member]) => [
      String(withoutSecrets(name)).slice(0, 80),
      secretName.test(name) ? '***' : withoutSecrets(member, depth + 1),
    ]),
  )
}
