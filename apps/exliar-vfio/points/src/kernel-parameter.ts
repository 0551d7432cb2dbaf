import { z } from 'zod'

/**
 * A parameter that the kernel may be started with, such as `iommu=pt`: one that stands in the configuration of every bootloader as it is,
 * without quotes.
 */
export const KernelParameter: z.ZodString = z.string().regex(/^\w[\w.,:=/+@%~-]{0,199}$/, 'is no plain kernel parameter')
