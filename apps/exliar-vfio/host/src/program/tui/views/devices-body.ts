import type { GpuDevice, PciDevice } from '@exliar-vfio/points'
import type { Detection } from '../../../lifecycle/detect.ts'
import type { TuiState } from '../tui-state.ts'
import { blank, fieldLines, line, span, wrapped, type Body, type Line, type Tone } from './line.ts'

/** How a verdict is coloured; the word stands beside it. */
export const verdictTones: Readonly<Record<GpuDevice['assessment']['verdict'], Tone>> = {
  ready: 'good',
  'needs-changes': 'notice',
  risky: 'warning',
  no: 'bad',
}

/** Functions in the order of the list: by group, those without at the end. */
export function listedDevices({ devices }: Pick<Detection, 'devices'>): readonly PciDevice[] {
  const group = ({ iommu_group }: PciDevice): number => iommu_group ?? Number.MAX_SAFE_INTEGER
  return devices.toSorted((a, b) => group(a) - group(b) || (a.bdf < b.bdf ? -1 : 1))
}

/** What is selected with a function: its slot, as a card goes whole; of a virtual function only itself. */
export function selectionOf({ bdf, slot, physical_function: parent }: PciDevice): string {
  return parent === null ? slot : bdf
}

/** Place of the graphics adapter that follows a place of the list; after the last comes the first. -1: there is none. */
export function nextGpu(detection: Pick<Detection, 'devices' | 'gpus'>, after: number): number {
  const isGpu = ({ bdf }: PciDevice): boolean => detection.gpus.some((gpu) => gpu.bdf === bdf)
  const listed = listedDevices(detection)
  const next = listed.findIndex((device, index) => index > after && isGpu(device))
  return next === -1 ? listed.findIndex(isGpu) : next
}

/** Every function below the head of its group. */
export function devicesBody(
  detection: Detection,
  { device: chosen, selected, takeAlong }: Pick<TuiState, 'device' | 'selected' | 'takeAlong'>,
  width: number,
): Body {
  const lines: Line[] = []
  let cursor = 0
  let group: number | null | undefined
  for (const [index, device] of listedDevices(detection).entries()) {
    if (device.iommu_group !== group) {
      group = device.iommu_group
      lines.push(line(group === null ? 'without a group' : `group ${group}`, 'muted'))
    }
    if (index === chosen) cursor = lines.length
    lines.push(
      ...deviceLines(device, detection, {
        isChosen: index === chosen,
        mark: selected.includes(selectionOf(device)) ? '[x]' : takeAlong.includes(selectionOf(device)) ? '[+]' : '   ',
        width,
      }),
    )
  }
  if (lines.length === 0) lines.push(line('There is no PCI device.', 'muted'))
  return { lines, cursor }
}

function deviceLines(
  device: PciDevice,
  { gpus }: Detection,
  { isChosen, mark, width }: { readonly isChosen: boolean; readonly mark: string; readonly width: number },
): Line[] {
  const gpu = gpus.find(({ bdf }) => bdf === device.bdf)
  const name = gpu?.model_name ?? `${device.class}: ${device.vendor_name} ${device.device_name}`
  const verdict = gpu === undefined ? [] : [span(`  ${gpu.assessment.verdict}`, verdictTones[gpu.assessment.verdict])]
  const head: Line = [
    span(`${isChosen ? '›' : ' '}${mark} ${device.bdf}  `, isChosen || mark.trim() !== '' ? 'strong' : 'plain'),
    span(device.driver ?? 'no driver', 'muted'),
    ...verdict,
    span(`  ${name}`, gpu === undefined && !isChosen ? 'muted' : 'strong'),
  ]
  if (gpu === undefined) return [head]
  const { verdict: word, reasons } = gpu.assessment
  return [head, ...wrapped(reasons[0] ?? '', width, { indent: 7, tone: verdictTones[word] })]
}

/** All that is known of one function. */
export function deviceDetails(detection: Detection, bdf: string, width: number): Body {
  const device = detection.devices.find((one) => one.bdf === bdf)
  if (device === undefined) return { lines: [line(`${bdf} is gone.`, 'warning')] }
  const gpu = detection.gpus.find((one) => one.bdf === bdf)
  const head = line(`${bdf}  ${gpu?.model_name ?? `${device.vendor_name} ${device.device_name}`}`, 'strong')
  const plain: [string, string][] = [
    ['class', `${device.class} (${device.class_code})`],
    ['id', `${device.vendor_id}:${device.device_id}`],
    ['driver', device.driver ?? 'none'],
    ['group', String(device.iommu_group ?? 'none')],
    ['boot screen', device.boot_vga ? 'yes' : 'no'],
    ['reset', device.reset_methods.join(', ') || 'none'],
    ...(device.physical_function === null ? [] : [['virtual function of', device.physical_function] as [string, string]]),
    ...(device.virtual_functions.length === 0
      ? []
      : [['virtual functions', device.virtual_functions.join(', ')] as [string, string]]),
  ]
  return { lines: [head, blank, ...fieldLines(plain, width), ...(gpu === undefined ? [] : gpuLines(detection, gpu, width))] }
}

function gpuLines({ devices, proposals }: Detection, gpu: GpuDevice, width: number): Line[] {
  const tone = verdictTones[gpu.assessment.verdict]
  const nameOf = (bdf: string): string => {
    const device = devices.find((one) => one.bdf === bdf)
    if (device === undefined) return bdf
    return `${bdf} ${device.class}, driver ${device.driver ?? 'none'}, group ${device.iommu_group ?? 'none'}`
  }
  const listed = (head: string, texts: readonly string[]): Line[] =>
    texts.length === 0 ? [] : [blank, line(head, 'muted'), ...texts.flatMap((text) => wrapped(text, width, { indent: 2 }))]
  const quirks = proposals.filter(({ bdf }) => bdf === gpu.bdf)
  const known = gpu.quirks.filter((name) => !quirks.some(({ quirk }) => quirk.name === name))
  return [
    blank,
    line(`Verdict: ${gpu.assessment.verdict}`, tone),
    ...gpu.assessment.reasons.flatMap((reason) => wrapped(reason, width, { indent: 2, tone })),
    ...listed('Functions of the same card', gpu.functions.map(nameOf)),
    ...listed('Devices of others in its groups', gpu.foreign.map(nameOf)),
    ...listed('Quirks', [...known, ...quirks.map(({ quirk, plugin }) => `${quirk.name} (${plugin}): ${quirk.description}`)]),
  ]
}
