import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

const Id = z.string().regex(/^([a-z\d][a-z\d-]*\/)?[a-z\d][a-z\d-]*$/, 'is no name of a plugin')
const Table = z.record(z.string(), z.unknown())

/** What `config.toml` may say. Every member is optional. */
export const ConfigFile = z.strictObject({
  plugins: z
    .strictObject({
      /** false: only what ships with the program. */
      enabled: z.boolean().default(true),
      /** Searched before the standard ones. */
      directories: z.array(z.string()).default([]),
      allow: z.array(Id).optional(),
      deny: z.array(Id).default([]),
      /** File with the trust policy. */
      trust_policy: z.string().optional(),
      /** Plugins in directories need no signature and may do all they ask for; told loudly. */
      development: z.boolean().default(false),
      /** Folders of plugins from outside are looked through for what a plugin has no need of. */
      scan: z.boolean().default(true),
      /** Plugins that run in audit mode, in which what they use of their grants is told; `true`: all of which that can be told. */
      audit: z.union([z.boolean(), z.array(Id)]).default(false),
      /** How much stands around plugins that do not ship with the program. */
      isolation: z.enum(['os', 'process']).default('os'),
      /** Protections that may be missing on this machine, by plugin. */
      waive: z.record(Id, z.array(z.string())).default({}),
      /** Longest that a plugin is waited for in a hook; default 10 s where it is told, 30 s where it is asked. */
      hook_timeout_seconds: z.number().positive().max(600).optional(),
      /** Settings by plugin. */
      config: z.record(Id, Table).default({}),
    })
    .prefault({}),
  vm: z
    .strictObject({
      /** libvirt's connection. Default `qemu:///system`, for this machine alone: a copied tree has no libvirt of its own. */
      connect: z.string().optional(),
      /** What libvirt's hook does for a machine that lacks what plugins want: refuse the start, or let it go on. */
      missing_changes: z.enum(['abort', 'allow']).default('abort'),
      /** What becomes of a machine's configuration after its run. */
      after: z.enum(['restore', 'keep']).default('restore'),
      /** A machine does not start while exliar cannot be asked. */
      fail_closed: z.boolean().default(false),
    })
    .prefault({}),
  secrets: z
    .strictObject({
      /** One file for each secret. */
      directory: z.string().optional(),
    })
    .prefault({}),
})

/** The configuration as it is used. Paths are absolute. */
export interface ExliarConfig {
  readonly file: string | undefined
  readonly plugins: z.output<typeof ConfigFile>['plugins']
  readonly vm: z.output<typeof ConfigFile>['vm']
  readonly secrets: z.output<typeof ConfigFile>['secrets']
  /** `file:line:column` of a value of the file. */
  readonly locate: (path: readonly (string | number)[]) => string
}

/** Where plugins are looked for beside what the configuration says. Source: seed 004, "Plugin Discovery and Loading". */
export function standardDirectories(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const home = env['XDG_CONFIG_HOME'] || join(env['HOME'] ?? homedir(), '.config')
  return [join(home, 'exliar-vfio/plugins'), '/usr/share/exliar-vfio/plugins']
}

/** Where the configuration is looked for: the first that is there is read. */
export function standardConfigFiles(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const home = env['XDG_CONFIG_HOME'] || join(env['HOME'] ?? homedir(), '.config')
  return [join(home, 'exliar-vfio/config.toml'), '/etc/exliar-vfio/config.toml']
}
