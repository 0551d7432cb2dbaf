import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** Environment a place is read from. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where things are when nothing says otherwise. */
export interface DefaultPlaces {
  /** Looked for when no `--config` is given; may be missing. */
  readonly configFile: string
  readonly dataDirectory: string
  readonly socket: string
  readonly pluginDirectories: readonly string[]
}

/**
 * The default places: FHS for root, XDG for everybody else.
 * Source: seed 000 "Plugin Discovery" (plugin directories); XDG Base Directory Specification 0.8; FHS 3.0.
 */
export function defaultPlaces(env: Environment, uid: number | undefined, cwd: string): DefaultPlaces {
  const home = env['HOME'] ?? homedir()
  const root = uid === 0
  const xdg = (name: string, fallback: string): string => env[name] || join(home, fallback)
  const dataDirectory = root ? '/var/lib/hypersdk' : join(xdg('XDG_DATA_HOME', '.local/share'), 'hypersdk')
  const runtime = root ? '/run' : env['XDG_RUNTIME_DIR']
  return {
    configFile: root ? '/etc/hypersdk/config.yaml' : join(xdg('XDG_CONFIG_HOME', '.config'), 'hypersdk/config.yaml'),
    dataDirectory,
    socket: runtime ? join(runtime, 'hypersdk/hypervisord.sock') : join(dataDirectory, 'hypervisord.sock'),
    pluginDirectories: [
      '/usr/local/lib/hypersdk/plugins',
      '/usr/lib/hypersdk/plugins',
      join(home, '.hypersdk/plugins'),
      resolve(cwd, 'plugins'),
    ],
  }
}
