import type { RecordedChange } from '@exliar-vfio/points'

/** Who caused a step. */
export interface Cause {
  readonly plugin: string
  readonly hook: string
}

interface AnyStep {
  /** Null: the host by itself. */
  readonly cause: Cause | null
  /** What it does, a sentence without its full stop. */
  readonly summary: string
  /** How it is listed among the changes of this machine. */
  readonly records: RecordedChange['kind']
}

/** Writes a file whole. */
export interface WriteFileStep extends AnyStep {
  readonly kind: 'write-file'
  /** Absolute, as the machine names it; where it leads is what is written. */
  readonly path: string
  /** What is there afterwards. */
  readonly content: Uint8Array
  /** Permission bits of a new file; default 0644. One that is there keeps its own. */
  readonly mode?: number
  /** Hash of what must be there at that moment; null: nothing. Without it, whatever is there is replaced. */
  readonly expects?: string | null
}

/** Runs a program of the machine's that makes files from what was written before. */
export interface RunCommandStep extends AnyStep {
  readonly kind: 'run-command'
  readonly program: string
  readonly args: readonly string[]
  /**
   * Files it makes, absolute; a `*` stands for any characters but `/`. Small ones are kept and put back by an undo; for the
   * others the program is run again after it.
   */
  readonly generates: readonly string[]
  /** What makes something of these files, and so must run after it whenever it runs: by steps of their own, and in an undo. */
  readonly followers?: readonly Making[]
}

/** Gives a function to a driver now, until the machine starts again. */
export interface BindDeviceStep extends AnyStep {
  readonly kind: 'bind-device'
  readonly bdf: string
  /** Null: the one it would have by itself. */
  readonly driver: string | null
}

/** Defines a virtual machine anew. */
export interface DefineDomainStep extends AnyStep {
  readonly kind: 'define-domain'
  /** libvirt's, such as `qemu:///system`. */
  readonly connection: string
  readonly domain: string
  /** What `xml` was made from, whole, passwords included. */
  readonly was: string
  readonly xml: string
}

/** One thing that is done to the machine and can be taken back. */
export type Step = WriteFileStep | RunCommandStep | BindDeviceStep | DefineDomainStep

/** A program that makes files, before it is a step. */
export type Making = Pick<RunCommandStep, 'program' | 'args' | 'generates' | 'followers'>
