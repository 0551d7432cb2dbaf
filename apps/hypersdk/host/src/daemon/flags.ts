import { parseArgs } from 'node:util'
import type { ConfigFlags } from '../config/load-config.ts'
import { hypersdkErrors } from '../errors.ts'
import { nearestName } from '@backplane/sdk'

/** What the command line asks for. */
export interface Flags extends ConfigFlags {
  readonly config: string | undefined
  readonly action: 'run' | 'validate' | 'version' | 'help'
}

const options = {
  config: { type: 'string' },
  addr: { type: 'string' },
  socket: { type: 'string' },
  'data-directory': { type: 'string' },
  'log-level': { type: 'string' },
  'safe-mode': { type: 'boolean' },
  development: { type: 'boolean' },
  foreground: { type: 'boolean' },
  'disable-web': { type: 'boolean' },
  validate: { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What `--help` prints. */
export const helpText = `hypervisord exports virtual machines through provider plugins

Usage: hypervisord [flags]        (each flag with one dash or two)

  --config FILE           configuration; default /etc/hypersdk/config.yaml for root,
                          ~/.config/hypersdk/config.yaml for others, and none is fine
  --addr HOST:PORT        TCP address of the API; "" for none    (default 127.0.0.1:8080)
  --socket PATH           unix socket of the API; "" for none
  --data-directory DIR    jobs, plugin state, token, staged packages
  --log-level LEVEL       debug, info, warn or error             (default info)
  --safe-mode             start no plugin but the bundled ones; the others are listed as disabled.
                          For a daemon that does not come up with what was dropped in
  --development           take what is in plugin directories without a signature and with all it asks for;
                          for writing plugins, never for production
  --foreground            stay in the foreground; it always does, service managers like that
  --disable-web           taken from older unit files; there are no web pages to leave out
  --validate              check the configuration, print every problem, and end (0 or 78)
  --version               print the versions of product, plugin API and Node
  --help                  print this

Environment: HYPERSDK_CONFIG, HYPERSDK_ADDR, HYPERSDK_SOCKET, HYPERSDK_DATA_DIRECTORY, HYPERSDK_LOG_LEVEL,
HYPERSDK_EXPORT_DIRECTORY, HYPERSDK_PLUGIN_PATH (directories with ":" between). Flags win over it, it wins over the file.
Signals: SIGTERM and SIGINT stop after running exports had exports.drain_timeout (again: at once), SIGHUP reads
plugins.config, providers, policy and approvals again and reloads plugins.

Examples:
  hypervisord --config hypersdk.yaml
  hypervisord --config hypersdk.yaml --validate
  hypervisord --config hypersdk.yaml --safe-mode
  hypervisord --addr 127.0.0.1:9090 --data-directory ./state --log-level debug
  HYPERSDK_PLUGIN_PATH=./my-plugins hypervisord
`

/** Reads the command line; flags may have one dash, as older unit files write them. Errors: `DAEMON_USAGE`. */
export function parseFlags(args: readonly string[]): Flags {
  const { values } = parse(args.map((arg) => (/^-[a-z][a-z-]+(=|$)/.test(arg) ? `-${arg}` : arg)))
  const level = values['log-level']
  if (level !== undefined && level !== 'debug' && level !== 'info' && level !== 'warn' && level !== 'error') {
    throw hypersdkErrors.error('DAEMON_USAGE', { reason: `${level} is no log level; they are debug, info, warn, error` })
  }
  return {
    config: values.config,
    addr: values.addr,
    socket: values.socket,
    dataDirectory: values['data-directory'],
    logLevel: level,
    safeMode: values['safe-mode'] === true,
    development: values.development === true,
    action: values.help ? 'help' : values.version ? 'version' : values.validate ? 'validate' : 'run',
  }
}

function parse(args: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof options }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const given = /'--?([^']+)'/.exec(message)?.[1]
    const nearest = given === undefined ? undefined : nearestName(given, Object.keys(options))
    const meant = nearest === undefined || nearest === given ? '' : `; did you mean --${nearest}?`
    throw hypersdkErrors.error('DAEMON_USAGE', { reason: `${message.split('. ')[0]}${meant}` }, { cause: error })
  }
}
