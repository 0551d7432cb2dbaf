import type { EncryptedSecrets } from '@backplane/storage'
import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import { show, type Runner, type Session } from '../session.ts'
import { printable } from '@backplane/terminal'
import { examples } from './examples.ts'

interface StoreOptions {
  readonly store?: string
  readonly keyFile?: string
  readonly keyring?: string
}

/** Adds `secrets`. */
export function addSecrets(program: Command, run: Runner): void {
  const secrets = program.command('secrets').description('change the encrypted file of secrets that a host reads; needs no host')
  examples(
    secrets,
    ['secrets set do-token --store secrets.json --key-file secrets.key', 'secrets set tls-key < key.pem', 'secrets list'],
    'BACKPLANE_SECRETS_STORE, BACKPLANE_SECRETS_KEY_FILE and BACKPLANE_SECRETS_KEYRING say the same as the options.\nA host reads the file at each use: what is set counts at once.',
  )
  addSet(secrets, run)
  addList(secrets, run)
  addRemove(secrets, run)
  addRotateKey(secrets, run)
}

function addSet(secrets: Command, run: Runner): void {
  const set = stored(
    secrets.command('set <name>').description('set a secret; its value is asked for, or read from standard input'),
  )
  examples(
    set,
    ['secrets set do-token', 'secrets set tls-key < key.pem'],
    'A value is never an argument: others see those in the list of processes, and shells keep them. One end of line\nat the end of standard input is not part of the value. File and key are made when they are missing.',
  )
  // Said without repeating it: it may be the value.
  set.allowExcessArguments().hook('preAction', ({ args }) => {
    if (args.length > 1) throw backplaneErrors.error('BACKPLANE_USAGE', { reason: 'a value is no argument; it is asked for' })
  })
  set.action(
    run(async (session, name: string, options: StoreOptions) => {
      const store = await openStore(session, options)
      const value = await session.terminal.readSecret(`Value of ${printable(name)}: `)
      if (value === '')
        throw backplaneErrors.error('BACKPLANE_USAGE', { reason: 'no value was given; secrets remove takes one away' })
      await store.set(name, value)
      show(session, { set: name }, () => `${printable(name)} set\n`)
    }),
  )
}

function addList(secrets: Command, run: Runner): void {
  const list = stored(secrets.command('list', { isDefault: true }).description('the names that there are; never the values'))
  examples(list, ['secrets list', `secrets list --json | jq -r '.secrets[]'`])
  list.action(
    run(async (session, options: StoreOptions) => {
      const names = await (await openStore(session, options)).list()
      show(session, { secrets: names }, () => names.map((name) => `${printable(name)}\n`).join(''))
    }),
  )
}

function addRemove(secrets: Command, run: Runner): void {
  const remove = stored(secrets.command('remove <name>').description('take a secret away'))
  examples(remove, ['secrets remove do-token'])
  remove.action(
    run(async (session, name: string, options: StoreOptions) => {
      await (await openStore(session, options)).remove(name)
      show(session, { removed: name }, () => `${printable(name)} removed\n`)
    }),
  )
}

function addRotateKey(secrets: Command, run: Runner): void {
  const rotate = stored(secrets.command('rotate-key').description('encrypt all secrets anew with a new key'))
  examples(
    rotate,
    ['secrets rotate-key'],
    'The old key opens nothing afterwards but old copies of the file: who had both had the secrets, so set those anew.',
  )
  rotate.action(
    run(async (session, options: StoreOptions) => {
      const store = await openStore(session, options)
      await store.rotateKey()
      const names = await store.list()
      show(session, { rotated: names.length }, () => `${names.length} secrets are encrypted with a new key\n`)
    }),
  )
}

function stored(command: Command): Command {
  return command
    .option('--store <file>', 'the encrypted file (BACKPLANE_SECRETS_STORE)')
    .option('--key-file <file>', 'its key (BACKPLANE_SECRETS_KEY_FILE)')
    .option('--keyring <name>', 'its key in the keyring of the session instead (BACKPLANE_SECRETS_KEYRING)')
}

async function openStore({ terminal }: Session, options: StoreOptions): Promise<EncryptedSecrets> {
  const { env } = terminal
  const path = options.store ?? env['BACKPLANE_SECRETS_STORE']
  const isSaid = options.keyFile !== undefined || options.keyring !== undefined
  const key = isSaid ? options.keyFile : env['BACKPLANE_SECRETS_KEY_FILE']
  const keyring = isSaid ? options.keyring : env['BACKPLANE_SECRETS_KEYRING']
  if (path === undefined) throw backplaneErrors.error('BACKPLANE_USAGE', { reason: 'it is not said which file: --store' })
  if ((key === undefined) === (keyring === undefined)) {
    throw backplaneErrors.error('BACKPLANE_USAGE', { reason: 'it takes either --key-file or --keyring' })
  }
  const { encryptedSecrets, keyFile, keyringKey } = await import('@backplane/storage')
  return encryptedSecrets(path, key === undefined ? keyringKey(keyring ?? '') : keyFile(key))
}
