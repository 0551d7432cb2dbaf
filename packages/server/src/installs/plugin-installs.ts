import type { PlatformError, Progress } from '@backplane/sdk'

/*
 * What a host that can install gives the management API. Plain values, so that the API knows nothing of how packages are
 * found, judged and kept.
 */

/** What is to change. */
export type InstallChange =
  /** A reference such as `npm:@acme/s3@^1.2`, `./s3.tgz` or `/srv/packages/s3`. */
  | { readonly kind: 'add'; readonly reference: string }
  /** Without `id`, everything. */
  | { readonly kind: 'update'; readonly id?: string | undefined }
  /** With `withUsers` also what needs it; without, what is needed is refused. */
  | { readonly kind: 'remove'; readonly id: string; readonly withUsers?: boolean | undefined }

/** What goes with work that may take long. */
export interface InstallWork {
  /** Aborted, nothing was changed or everything was. */
  readonly signal: AbortSignal
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Name of the token that asked for it; undefined where the host does it by itself. */
  readonly by?: string | undefined
}

/** What changes come to, before any of it is done. */
export interface InstallPlan {
  /** Of the lock and of what would become of it: the same again only while both are. */
  readonly etag: string
  /** In the order in which they are done; empty when there is nothing to do. */
  readonly steps: readonly InstallStep[]
}

/** One plugin's change. */
export type InstallStep = InstallPut | InstallRemoval

/** A version that comes. */
export interface InstallPut {
  readonly kind: 'install' | 'update'
  readonly id: string
  readonly version: string
  /** The version there is now. */
  readonly from: string | undefined
  /** Ids that bring it in; empty when it is asked for itself. */
  readonly neededBy: readonly string[]
  /** Where it comes from: `npm:@acme/s3`. */
  readonly source: string
  /** Of its tree. */
  readonly digest: string
  readonly sizeBytes: number
  readonly verdict: InstallVerdict
  readonly permissions: {
    readonly asked: readonly string[]
    /** Of these, what is kept from it. */
    readonly withheld: readonly string[]
    /** Of these, what nobody answered to yet. */
    readonly unapproved: readonly string[]
    readonly dropped: readonly string[]
  }
  readonly license: Change<string>
  /** JSON Schemas of its settings. */
  readonly config: Change<Readonly<Record<string, unknown>>>
}

/** Something before and after; undefined where it is not there or not known. */
export interface Change<T> {
  readonly from: T | undefined
  readonly to: T | undefined
}

/** A plugin that goes. */
export interface InstallRemoval {
  readonly kind: 'remove'
  readonly id: string
  readonly version: string
  /** Nobody asked for it and nobody needs it any more. */
  readonly isOrphan: boolean
}

/** Why a package may run, or may not. */
export interface InstallVerdict {
  readonly ok: boolean
  readonly trust: string
  readonly publisher: string | undefined
  /** Every rule, in the order in which they were asked. */
  readonly rules: readonly VerdictRule[]
}

/** What one rule said. */
export interface VerdictRule {
  readonly rule: string
  /** `passed`, `refused`, `waived`, `silent`. */
  readonly outcome: string
  readonly reason: string
  readonly file?: string | undefined
  /** What to do now. */
  readonly fix?: string | undefined
}

/** A plan that is to be done. */
export interface InstallOrder {
  readonly changes: readonly InstallChange[]
  /** Of the plan that was looked at; without it, whatever the changes come to now is done. */
  readonly etag?: string | undefined
  /** Told what would be done before any of it is; what it throws refuses it. */
  readonly check?: ((plan: InstallPlan) => void) | undefined
  /** Permissions by plugin id, as manifests write them. */
  readonly approvals: PermissionsById
  /** What is to be kept from plugins that come; the same that the plan was made with. */
  readonly withheld?: PermissionsById | undefined
}

/** Permissions as manifests write them, by plugin id. */
export type PermissionsById = Readonly<Record<string, readonly string[]>>

/** What was answered to a plugin that asks for permissions; none is in both. */
export interface PermissionAnswers {
  readonly approved: readonly string[]
  /** Kept from it: it runs without. */
  readonly withheld: readonly string[]
}

/** Whether something newer can be had of an installed plugin. */
export interface OutdatedPlugin {
  readonly id: string
  readonly version: string
  /** What it was asked for by; for what others need, where it is looked for. */
  readonly requested: string
  /** The version an update would bring; undefined when there is none, or it cannot be told. */
  readonly available: string | undefined
  /** Permissions that would have to be approved for it. */
  readonly unapproved: readonly string[]
  /** Why it cannot be told, or may not be taken. */
  readonly problem: { readonly code: string; readonly message: string } | undefined
}

/** A package that can be had. */
export interface FoundPackage {
  /** To install it by: `index:acme:acme/s3`. */
  readonly reference: string
  /** Who says so: `index:acme`, or the address of a registry. */
  readonly source: string
  readonly name: string
  /** Undefined where nobody says which is the latest. */
  readonly version: string | undefined
  readonly description: string | undefined
  readonly tags: readonly string[]
  /** When what says so was signed, RFC 3339; undefined for what was asked just now. */
  readonly asOf: string | undefined
}

/** What was found, and who could not be asked. */
export interface FoundPackages {
  readonly found: readonly FoundPackage[]
  readonly problems: readonly { readonly source: string; readonly code: string; readonly message: string }[]
}

/** Something that is not as it should be with what a host keeps on its disk. */
export interface StorageFinding {
  /** `leftover`, `unclaimed`, `damaged`, `missing`. A host may have others. */
  readonly kind: string
  /** A path, or the id of a plugin. */
  readonly subject: string
  readonly problem: string
  readonly fixed: boolean
  /** What was done, or what is to be done. */
  readonly action: string
}

/** What came of fetching what was missing: ids, and why some are missing still. */
export interface RestoredPlugins {
  readonly restored: readonly string[]
  readonly failed: readonly { readonly id: string; readonly error: PlatformError }[]
}

/** A file with everything a lock names. */
export interface MadeBundle {
  /** `sha256:…` of the file. */
  readonly digest: string
  readonly sizeBytes: number
  /** Ids. */
  readonly plugins: readonly string[]
}

/** What was approved for one plugin. */
export interface PluginApproval {
  readonly id: string
  readonly permissions: readonly string[]
  readonly withheld: readonly string[]
  /** `lock` for what is installed, `grants` for everything else. */
  readonly keptIn: 'lock' | 'grants'
  readonly by: string | undefined
  readonly at: string | undefined
}

/** An archive that was sent, and found in order. */
export interface KeptUpload {
  /** To install it by. */
  readonly reference: string
  readonly id: string
  readonly version: string
  readonly sizeBytes: number
}

/** A plugin as the kernel has it, for questions about it. */
export interface NamedPlugin {
  readonly id: string
  readonly version: string
  readonly origin: 'bundled' | 'external'
  readonly source: string
  readonly path: string
}

/** What a host that can install gives the management API. Errors are coded and pass through it. */
export interface PluginInstalls {
  /** Writes nothing. */
  readonly plan: (changes: readonly InstallChange[], work: InstallWork, withheld?: PermissionsById) => Promise<InstallPlan>
  /** Does it, in one step for whoever is killed meanwhile. Refuses what was not approved, and an etag that is not that of now. */
  readonly apply: (order: InstallOrder, work: InstallWork) => Promise<InstallPlan>
  readonly outdated: (work: InstallWork) => Promise<readonly OutdatedPlugin[]>
  /** Packages with every word of a text, wherever the host may install from and that can be searched. */
  readonly search: (text: string, work: InstallWork) => Promise<FoundPackages>
  /** Whether a plugin comes from the lock. */
  readonly isInstalled: (plugin: NamedPlugin) => boolean
  /** The lock as it is, and its etag. */
  readonly lock: () => Promise<{ readonly lock: unknown; readonly etag: string }>
  /** Ids whose stored bytes are not what the lock says. */
  readonly verify: (
    work: InstallWork,
  ) => Promise<readonly { readonly id: string; readonly version: string; readonly digest: string }[]>
  /**
   * Fetches what the lock names and the store lacks, or takes it from a bundle (`bundle:/media/usb/plugins.bundle`); answers ids,
   * and why some are missing still.
   */
  readonly restore: (work: InstallWork, bundle?: string) => Promise<RestoredPlugins>
  /** Makes one file of everything the lock names; it is kept until the next is made. */
  readonly bundle: (work: InstallWork) => Promise<MadeBundle>
  /** The bytes of a bundle that is kept, by its digest; undefined for none. */
  readonly readBundle: (
    digest: string,
  ) => Promise<{ readonly sizeBytes: number; readonly bytes: AsyncIterable<Uint8Array> } | undefined>
  /** What is wrong with what the host keeps on its disk; with `fix` it is put right as far as that can be done. */
  readonly examine: (work: InstallWork, fix: boolean) => Promise<readonly StorageFinding[]>
  /** Removes what nobody needs; answers how many packages and uploads went. */
  readonly collect: (work: InstallWork) => Promise<{ readonly packages: number; readonly uploads: number }>
  readonly approvals: () => readonly PluginApproval[]
  /**
   * Approves permissions of a plugin, withholds them, or takes that back: `permitted` is told what was answered, while nobody
   * else changes it, and says what is to be. What it throws changes nothing.
   */
  readonly permit: (
    plugin: NamedPlugin,
    permitted: (answers: PermissionAnswers) => PermissionAnswers,
    by: string,
    work: InstallWork,
  ) => Promise<void>
  /** Undefined when all it asks for counts as approved. */
  readonly approved: (plugin: NamedPlugin) => readonly string[] | undefined
  /** What is kept from it, whether it asks for it now or not. */
  readonly withheld: (plugin: NamedPlugin) => readonly string[]
  /** Keeps an archive that somebody sends; refused or broken off, nothing of it is left. */
  readonly upload: (bytes: AsyncIterable<Uint8Array>, work: InstallWork) => Promise<KeptUpload>
  /** Largest archive that is taken, bytes. */
  readonly uploadBytes: number
  /** Deletes the files of a plugin that lies in a folder. Refuses what is not the host's to delete. */
  readonly deleteFiles: (plugin: NamedPlugin) => Promise<void>
  /** The policy packages are judged by, as JSON; without secrets. */
  readonly policy: () => unknown
  /** The last verdict on a plugin; undefined before it was asked. */
  readonly verdict: (plugin: NamedPlugin) => InstallVerdict | undefined
}
