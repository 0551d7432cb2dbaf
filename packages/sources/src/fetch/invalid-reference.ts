import { sourceErrors } from '../errors.ts'

const kinds = String.raw`(?:(?:npm|git(?:\+[a-z]+)?|oci|index|archive|directory|file):)?`
const named = new RegExp(String.raw`^(?=(${kinds}))\1[^/@#]+:[^/@#]*@`)

/** That nobody can read a reference. What it quotes of one that holds a name and a password is left out. Errors: `FETCH_REFERENCE_INVALID`. */
export function invalidReference(reference: string, problem: string, example: string): Error {
  const isSecret = withoutCredentials(reference) !== reference
  const said = isSecret ? 'a name or a password is in it, and does not belong there' : problem
  return sourceErrors.error('FETCH_REFERENCE_INVALID', { reference: shownReference(reference), problem: said, example })
}

/** For messages: nothing that moves a cursor or hides, and no name or password of an address. */
export function shownReference(reference: string): string {
  const text = withoutCredentials(reference)
  const shown = text.length <= 200 ? text : `${text.slice(0, 199)}…`
  return shown.replaceAll(/[^\x20-\x7e…]/g, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
}

/** After a colon that no port follows stands a password, whatever is in it. */
const password = /\/\/[^/@#:]*:(?!\d{1,5}(?:\/|$))[^@]*@/g

function withoutCredentials(reference: string): string {
  return reference
    .replaceAll(password, '//…@')
    .replaceAll(/\/\/[^/#]*@/g, '//…@')
    .replace(named, '$1…@')
}
