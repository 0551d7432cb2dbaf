import type { BootloaderConfig, InitramfsConfig, PciDevice, QuirkSetting } from '@exliar-vfio/points'
import type { Stage } from '../changes/apply.ts'
import type { SelectedFunction } from '../vfio/select-functions.ts'
import type { PlanInput } from './overlay-tree.ts'

/** What a stage is about: what its hooks are told. In this order. Source: seed 004, "Configuration Phase". */
export type PlanSubject =
  | { readonly kind: 'configure' }
  /** `now`: it is bound by this stage; else when the machine starts. */
  | { readonly kind: 'vfio-bind'; readonly device: PciDevice; readonly now: boolean }
  | { readonly kind: 'initramfs-update'; readonly config: InitramfsConfig }
  | { readonly kind: 'bootloader-update'; readonly config: BootloaderConfig }

/** What a plugin proposes for a card. */
export interface Proposal {
  readonly plugin: string
  readonly hook: string
  readonly quirk: QuirkSetting
}

/** How a file changes. */
export interface PlanDiff {
  readonly path: string
  /** Unified. */
  readonly diff: string
}

/** What would be done, and what it was made from. Nothing has been touched. */
export interface Plan {
  readonly title: string
  readonly functions: readonly SelectedFunction[]
  /** Empty: everything is as it should be. */
  readonly stages: readonly Stage<PlanSubject>[]
  readonly diffs: readonly PlanDiff[]
  /** The machine must start again before all of it counts. */
  readonly reboot: boolean
  /** Sentences. */
  readonly notes: readonly string[]
  readonly inputs: readonly PlanInput[]
  /** Changes whenever the plan, or what it was made from, does. */
  readonly etag: string
}
