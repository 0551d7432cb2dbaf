import { DiskFormat } from '@hypersdk/points'
import { z } from 'zod'

/** Routes beside `/jobs/{id}`; a job of that name could not be asked for. */
const routes: ReadonlySet<string> = new Set(['submit', 'query', 'cancel', 'progress', 'logs', 'eta'])

const Id = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'must be 1 to 64 of A-Z a-z 0-9 _ -' })
  .refine((id) => !routes.has(id), { error: 'is a route of the API: take another' })
const Text = z.string().min(1).max(4096)

/** Where the vSphere form of a job holds credentials; known, so that the refusal can say what to do instead. */
export const credentialFields = ['vcenter_url', 'vcenter', 'username', 'password', 'insecure', 'datacenter'] as const

/** What older job files hold and this daemon decides itself; accepted with a warning in the job's log. */
export const ignoredFields = ['export_method', 'method', 'thin', 'created_at'] as const

/** As {@link ignoredFields}, inside `options`. */
export const ignoredOptions = ['parallel_downloads', 'show_individual_progress'] as const

const Ignored = z.unknown().optional()

/** One job as it is submitted. `vm_path` and `vm_id`, and `output_dir` and `output_path`, are two names for one thing. */
export const JobRequest = z.strictObject({
  id: Id.optional(),
  name: Text.optional(),
  /** A provider's type, or the name of one configured instance. */
  provider: Text,
  /** The machine, in the provider's own form. */
  vm_id: Text.optional(),
  vm_path: Text.optional(),
  /** A directory; a relative one is below the daemon's own export directory. */
  output_dir: Text.optional(),
  output_path: Text.optional(),
  format: z.preprocess((value) => (typeof value === 'string' ? value.toLowerCase() : value), DiskFormat).default('raw'),
  compress: z.boolean().default(false),
  options: z
    .strictObject({
      compression_level: z.int().min(1).max(9).optional(),
      include_snapshots: z.boolean().default(false),
      remove_cdrom: z.boolean().default(false),
      overwrite: z.boolean().default(false),
      parallel_downloads: Ignored,
      show_individual_progress: Ignored,
    })
    .prefault({}),
  metadata: z.record(z.string(), z.unknown()).default({}),
  vcenter_url: Ignored,
  vcenter: Ignored,
  username: Ignored,
  password: Ignored,
  insecure: Ignored,
  datacenter: Ignored,
  export_method: Ignored,
  method: Ignored,
  thin: Ignored,
  created_at: Ignored,
})
export type JobRequest = z.output<typeof JobRequest>

/** One job as it is kept and shown. */
export interface JobDefinition {
  readonly id: string
  readonly name: string
  readonly provider: string
  readonly vm_id: string
  /** The same as `vm_id`, for clients of the older form. */
  readonly vm_path: string
  /** Absolute. */
  readonly output_dir: string
  /** The same as `output_dir`, for clients of the older form. */
  readonly output_path: string
  readonly format: DiskFormat
  readonly compress: boolean
  readonly options: {
    readonly compression_level?: number
    readonly include_snapshots: boolean
    readonly remove_cdrom: boolean
    readonly overwrite: boolean
  }
  readonly metadata: Readonly<Record<string, unknown>>
  readonly created_at: string
}
