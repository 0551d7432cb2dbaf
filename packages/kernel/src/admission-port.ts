import type { Kernel } from './kernel.ts'
import type { AcceptedManifest, StagedPackage } from './ports.ts'

/** Decides what may run, and with which permissions. */
export interface Admission {
  /**
   * Whether exactly these bytes may run. Asked at every start, after they were hashed where nobody else writes and before any of
   * them is loaded, whatever way they came. What it throws refuses as well.
   */
  readonly admit: (asked: AdmissionRequest, signal: AbortSignal) => Promise<AdmissionDecision>
  /**
   * The permissions that were approved, as a manifest writes them; undefined: all it asks for. Asked often, so it answers from
   * memory. A plugin that asks for more is `blocked`, as an update it waits; after approving, refresh.
   */
  readonly approved?: (plugin: Pick<AdmissionRequest, 'id' | 'version' | 'origin' | 'source'>) => readonly string[] | undefined
  /**
   * The permissions that the operator keeps from it, as a manifest writes them. They count as answered, are not granted, and win
   * over {@link approved}; a plugin fills no point that takes one. Asked as often. What serves is held to it by `readmit`.
   */
  readonly withheld?: (plugin: Pick<AdmissionRequest, 'id' | 'version' | 'origin' | 'source'>) => readonly string[]
  /**
   * Given once, before anything of a plugin runs, what plugins can be asked by, for a gate that asks some about others. Whom it asks it
   * has to let in without asking them: else one waits for the other.
   */
  readonly attach?: (plugins: PluginAccess) => void
}

/** How plugins are asked while a kernel is not made yet as well. */
export type PluginAccess = Pick<Kernel, 'lease' | 'plugins'>

/** A package about to be started, or that serves. */
export interface AdmissionRequest {
  readonly id: string
  readonly version: string
  readonly origin: 'bundled' | 'external'
  /** Name of the source it is from. */
  readonly source: string
  /** Where it is, as the operator would name it. */
  readonly path: string
  readonly manifest: AcceptedManifest
  readonly staged: StagedPackage
  /** It serves already and is asked about because something else changed: its bytes were looked through when it was started. */
  readonly isServing?: boolean
}

/** The answer, for the record. */
export type AdmissionDecision =
  | { readonly ok: true; readonly trust: PluginTrust }
  /** `reason` and `fix` are sentences without a full stop at the end of the first; `details` is JSON. */
  | { readonly ok: false; readonly reason: string; readonly fix: string; readonly details?: Readonly<Record<string, unknown>> }

/** What the decision to let a plugin run rests on. */
export interface PluginTrust {
  readonly level: 'bundled' | 'signed' | 'unsigned'
  /** Who vouches for it. */
  readonly publisher?: string
  /** What the policy let pass, and why, for people. */
  readonly waived: readonly string[]
}

/** One thing said about a package. */
export interface PackageAttestation {
  /** Path in the package, or the address it came from; whoever refuses it names it. */
  readonly file: string
  /** Parsed JSON; of a file that cannot be read, a text that says why. */
  readonly content: unknown
}
