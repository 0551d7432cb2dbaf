/** Programs a plugin may start, by name, and where they are on this machine. */
export interface OwnedPrograms {
  readonly paths: Readonly<Record<string, string>>
  /** Path of `setpriv`, when there is one. */
  readonly launcher: string | undefined
}

interface SpawnOptions {
  file: string
  args?: string[]
}

/**
 * Makes the programs a plugin starts by name end with the plugin's process, even when that is killed: they are started
 * through `setpriv --pdeathsig KILL`, and in a group of their own, so that what a terminal sends to everybody (Ctrl-C) does
 * not end them while their host lets work finish. This keeps processes from being left behind; it is no protection, because a
 * process that may start programs may start any.
 */
export function ownPrograms({ paths, launcher }: OwnedPrograms): void {
  // Most plugins may start nothing, and loading this takes a fresh process three milliseconds.
  const { ChildProcess } = process.getBuiltinModule('node:child_process')
  const prototype = ChildProcess.prototype as unknown as { spawn: (options: SpawnOptions) => unknown }
  const { spawn } = prototype
  prototype.spawn = function (this: unknown, options: SpawnOptions): unknown {
    const path = Object.hasOwn(paths, options.file) ? paths[options.file] : undefined
    if (path === undefined) return spawn.call(this, options)
    if (launcher === undefined) return spawn.call(this, { ...options, file: path })
    const args = [options.file, '--pdeathsig', 'KILL', '--', path, ...(options.args ?? []).slice(1)]
    return spawn.call(this, { ...options, file: launcher, args, detached: true })
  }
}
