import type { Case } from './case.ts'
import { filesCases } from './files-cases.ts'
import { kernelCases } from './kernel-cases.ts'
import { lifeCases } from './life-cases.ts'
import { reachCases } from './reach-cases.ts'
import { resourceCases } from './resource-cases.ts'
import { secretCases } from './secret-cases.ts'
import { wireCases } from './wire-cases.ts'

/** Every case that is about running plugins, in the order of their ids. */
export const allCases: readonly Case[] = [
  ...filesCases,
  ...kernelCases,
  ...reachCases,
  ...resourceCases,
  ...lifeCases,
  ...wireCases,
  ...secretCases,
].toSorted((one, other) => (one.id < other.id ? -1 : 1))
