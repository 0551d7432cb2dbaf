import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { storageErrors } from '../errors.ts'
import { generation, keysText, parseKeys, type SecretsKey } from './secrets-key.ts'

const timeoutMs = 30_000

/**
 * A key in the keyring of the session (GNOME Keyring, KWallet and others), through `secret-tool` of libsecret-tools. `name`
 * tells keys of one user apart. Errors: `SECRETS_KEY_UNUSABLE`, also where there is no `secret-tool` or no keyring.
 */
export function keyringKey(name: string, program = 'secret-tool'): SecretsKey {
  const place = `${name} in the keyring`
  const attributes = (what: string): readonly string[] => ['application', 'backplane', 'store', name, 'what', what]
  const lookup = async (what: string): Promise<string | undefined> => {
    // It ends with 1 and says nothing where there is no such item.
    const { code, out, err } = await run(program, ['lookup', ...attributes(what)], '', place)
    if (code === 0) return out
    if (err === '') return undefined
    throw storageErrors.error('SECRETS_KEY_UNUSABLE', { place, reason: err })
  }
  const store = async (what: string, value: string): Promise<void> => {
    const args = ['store', `--label=backplane ${name} ${what}`, ...attributes(what)]
    const { code, err } = await run(program, args, value, place)
    if (code !== 0) throw storageErrors.error('SECRETS_KEY_UNUSABLE', { place, reason: err || `${program} ended with ${code}` })
  }
  return {
    place,
    witness: `the item generation of ${place}`,
    load: async () => parseKeys(place, await lookup('key')),
    save: (keys) => store('key', keysText(keys)),
    seen: async () => generation(await lookup('generation')),
    see: (seen) => store('generation', String(seen)),
  }
}

async function run(
  program: string,
  args: readonly string[],
  input: string,
  place: string,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' })
  const ended = once(child, 'close') as Promise<[number | null]>
  try {
    // What could not be started may have no streams.
    if (child.pid === undefined) await ended
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    return { code, out, err: err.trim().slice(0, 200) }
  } catch (error) {
    const reason = `${program} cannot be run (${String(Reflect.get(Object(error), 'code'))})`
    throw storageErrors.error('SECRETS_KEY_UNUSABLE', { place, reason }, { cause: error })
  }
}
