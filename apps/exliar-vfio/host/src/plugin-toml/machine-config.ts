import { withHypervisorHidden, withKvmHidden, withVendorId, type VmConfig, type VmDevice } from '@exliar-vfio/points'
import { alsoInCamelCase } from './also-in-camel-case.ts'

/** A machine's configuration as a plugin in the style of the seed changes it: in place, by methods. Source: seed 004. */
export class MachineConfig {
  #config: VmConfig

  constructor(config: VmConfig) {
    this.#config = config
  }

  get name(): string {
    return this.#config.name
  }

  /** To be read; what is changed in it is not written. */
  get devices(): readonly VmDevice[] {
    return this.#config.devices
  }

  add_hypervisor_hidden(hidden: boolean): void {
    this.#config = withHypervisorHidden(this.#config, hidden)
  }

  add_kvm_hidden(hidden: boolean): void {
    this.#config = withKvmHidden(this.#config, hidden)
  }

  add_vendor_id(vendorId: string): void {
    this.#config = withVendorId(this.#config, vendorId)
  }

  /** Hands an argument to the hypervisor's program as it is. */
  add_argument(argument: string): void {
    this.#config = { ...this.#config, extra_arguments: [...this.#config.extra_arguments, argument] }
  }

  /** As it is now. */
  toJSON(): VmConfig {
    return this.#config
  }
}

alsoInCamelCase(MachineConfig)
