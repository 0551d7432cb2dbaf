import type { SystemInfo } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import { bootloader } from './bootloader.ts'
import { distribution } from './distribution.ts'
import type { Fact } from './fact.ts'
import { initSystem } from './init-system.ts'
import { initramfsSystem } from './initramfs-system.ts'
import { iommuState } from './iommu-state.ts'
import { kernelParameters } from './kernel-parameters.ts'
import { kernelVersion } from './kernel-version.ts'
import { processor } from './processor.ts'
import { secureBoot } from './secure-boot.ts'

/** {@link SystemInfo}, each field with the file that says it. */
export type SystemFacts = { readonly [Name in keyof SystemInfo]: Fact<SystemInfo[Name]> }

/** Finds out what machine this is. What cannot be read is unknown; nothing is guessed and nothing is run. */
export function detectFacts(tree: MachineTree): SystemFacts {
  const { vendor, model, virtualization } = processor(tree)
  const parameters = kernelParameters(tree)
  return {
    bootloader: bootloader(tree),
    kernel_version: kernelVersion(tree),
    kernel_parameters: parameters,
    cpu_vendor: vendor,
    cpu_model: model,
    virtualization_enabled: virtualization,
    iommu: iommuState(tree, { vendor: vendor.value, parameters: parameters.value }),
    init_system: initSystem(tree),
    initramfs_system: initramfsSystem(tree),
    secure_boot_enabled: secureBoot(tree),
    distribution: distribution(tree),
  }
}

/** The facts without where they come from. Errors: `TREE_ESCAPES`. */
export function detectSystem(tree: MachineTree): SystemInfo {
  return systemOf(detectFacts(tree))
}

/** What the facts say. */
export function systemOf(facts: SystemFacts): SystemInfo {
  return {
    bootloader: facts.bootloader.value,
    kernel_version: facts.kernel_version.value,
    kernel_parameters: facts.kernel_parameters.value,
    cpu_vendor: facts.cpu_vendor.value,
    cpu_model: facts.cpu_model.value,
    virtualization_enabled: facts.virtualization_enabled.value,
    iommu: facts.iommu.value,
    init_system: facts.init_system.value,
    initramfs_system: facts.initramfs_system.value,
    secure_boot_enabled: facts.secure_boot_enabled.value,
    distribution: facts.distribution.value,
  }
}
