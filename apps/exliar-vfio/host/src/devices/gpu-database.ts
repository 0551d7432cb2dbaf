import { GpuVendor, type PciDevice } from '@exliar-vfio/points'
import { z } from 'zod'
import models from './gpu-models.json' with { type: 'json' }

/** What a guest with such a card should have. */
const RecommendedVmConfig = z
  .strictObject({
    kvm_hidden: z.boolean(),
    hypervisor_hidden: z.boolean(),
    hyperv_vendor_id: z.string().min(1).max(12),
  })
  .partial()

const Family = z.strictObject({
  architecture: z.string(),
  reset_bug: z.boolean(),
  /** Guest drivers before 465 refuse to run beside a hypervisor. */
  code_43_vulnerable: z.boolean(),
  recommended_quirks: z.array(z.string()),
  supports_gvt_g: z.boolean(),
  supports_fbc: z.boolean().default(false),
  /** Part of the processor. */
  integrated: z.boolean().default(false),
  recommended_vm_config: RecommendedVmConfig.default({}),
})

const Model = z.strictObject({
  name: z.string(),
  family: z.string(),
  /** The chip, where the family has several. */
  architecture: z.string(),
  /** Where it differs from its family's. */
  reset_bug: z.boolean().optional(),
  specific_quirks: z.array(z.string()).default([]),
  recommended_vm_config: RecommendedVmConfig.optional(),
})

/**
 * What is known of GPU models. Source: the form is seed 004's; ids and names are those of https://pci-ids.ucw.cz/ and, for
 * Intel and AMD, of Mesa's `iris_pci_ids.h` and libdrm's `amdgpu.ids`; AMD's reset bugs are the matrix of
 * gnif/vendor-reset (`src/device-db.h`, and its issue 97 for Navi 3x); GVT-g's generations are those of the kernel's
 * `intel_gvt.c`; GB202's reset bug is the hang after a function reset that NVIDIA confirmed in 2025; code 43 ended with
 * NVIDIA's driver 465 for desktop cards from Kepler on.
 */
export const GpuDatabase = z.strictObject({
  vendors: z.record(
    GpuVendor.exclude(['other']),
    z.strictObject({
      vendor_id: z.string().regex(/^[\da-f]{4}$/),
      families: z.record(z.string(), Family),
      /** By `vvvv:dddd`. */
      models: z.record(z.string().regex(/^[\da-f]{4}:[\da-f]{4}$/), Model),
    }),
  ),
})
export type GpuDatabase = z.output<typeof GpuDatabase>

/** A model with what holds for its family. */
export interface KnownModel {
  readonly name: string
  readonly family: string
  readonly architecture: string
  readonly resetBug: boolean
  readonly code43: boolean
  readonly quirks: readonly string[]
  readonly supportsGvt: boolean
  readonly supportsFbc: boolean
  readonly integrated: boolean
  readonly recommendedVmConfig: z.output<typeof RecommendedVmConfig>
}

let bundled: GpuDatabase | undefined

/** The database this program brings. */
export function bundledGpuDatabase(): GpuDatabase {
  bundled ??= GpuDatabase.parse(models)
  return bundled
}

/** What is known of a card, by its ids alone. */
export function knownModel(database: GpuDatabase, device: Pick<PciDevice, 'vendor_id' | 'device_id'>): KnownModel | undefined {
  const vendor = Object.values(database.vendors).find(({ vendor_id: id }) => id === device.vendor_id)
  const model = vendor?.models[`${device.vendor_id}:${device.device_id}`]
  const family = model && vendor?.families[model.family]
  if (model === undefined || family === undefined) return undefined
  return {
    name: model.name,
    family: model.family,
    architecture:
      model.architecture === family.architecture ? family.architecture : `${family.architecture} (${model.architecture})`,
    resetBug: model.reset_bug ?? family.reset_bug,
    code43: family.code_43_vulnerable,
    quirks: [...new Set([...family.recommended_quirks, ...model.specific_quirks])],
    supportsGvt: family.supports_gvt_g,
    supportsFbc: family.supports_fbc,
    integrated: family.integrated,
    recommendedVmConfig: model.recommended_vm_config ?? family.recommended_vm_config,
  }
}

/** Who made a card, by the vendor's id. */
export function gpuVendor(database: GpuDatabase, vendorId: string): GpuVendor {
  const entries = Object.entries(database.vendors) as [Exclude<GpuVendor, 'other'>, { readonly vendor_id: string }][]
  return entries.find(([, { vendor_id: id }]) => id === vendorId)?.[0] ?? 'other'
}
