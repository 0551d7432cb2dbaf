import { highlight, listText, printable, tableText, type Style } from '@backplane/terminal'
import type { GpuDevice, PciDevice } from '@exliar-vfio/points'
import type { Command } from 'commander'
import type { Detection } from '../../lifecycle/detect.ts'
import { examples } from '../examples.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'

/** Adds `report`. */
export function addReport(program: Command, run: Runner): void {
  const report = program
    .command('report')
    .description('what this machine is, every GPU with its group, siblings, driver and verdict, and why')
    .option('--devices', 'list every PCI function too')
  examples(report, ['report', 'report --root examples/exliar/limine-booster', 'report --json | jq .gpus[].assessment'])
  report.action(
    run(async (session: Session, { devices = false }: { devices?: boolean }) => {
      const found = await session.detect()
      const { facts: _facts, ...told } = found
      session.show({ ...told, evidence: evidenceOf(found) }, () => reportText(session, found, devices))
    }),
  )
}

function evidenceOf({ facts }: Detection): Readonly<Record<string, string | null>> {
  return Object.fromEntries(Object.entries(facts).map(([name, { evidence }]) => [name, evidence]))
}

function reportText({ terminal }: Session, found: Detection, withDevices: boolean): string {
  const bold = (text: string): string => highlight(terminal, 'bold', text)
  const parts = [`${bold('System')}\n${systemText(found)}`]
  for (const gpu of found.gpus) parts.push(gpuText(terminal, gpu, found.devices))
  if (found.gpus.length === 0) parts.push('There is no graphics adapter.\n')
  if (withDevices) parts.push(`${bold('PCI functions')}\n${devicesText(found.devices)}`)
  for (const { plugin, at, message } of found.troubles) {
    parts.push(`${highlight(terminal, 'yellow', 'passed over')}: ${printable(`${plugin} failed in ${at}: ${message}`)}\n`)
  }
  return parts.join('\n')
}

function systemText({ system, facts }: Detection): string {
  const { kernel_version: kernel, distribution, iommu, secure_boot_enabled: secureBoot } = system
  const from = (name: keyof typeof facts): string => (facts[name].evidence === null ? '' : `  (${facts[name].evidence})`)
  return listText([
    [
      'distribution',
      distribution === null ? 'unknown' : `${distribution.name} ${distribution.version}`.trim() + from('distribution'),
    ],
    ['kernel', kernel === null ? 'unknown' : kernel.full_version],
    ['processor', `${system.cpu_model}${system.virtualization_enabled ? '' : ', virtualisation off'}`],
    ['IOMMU', `${iommu.state}: ${iommu.reason}`],
    ['bootloader', system.bootloader + from('bootloader')],
    ['initramfs', system.initramfs_system + from('initramfs_system')],
    ['init', system.init_system],
    ['secure boot', secureBoot === null ? 'unknown' : secureBoot ? 'on' : 'off'],
  ])
}

const tones: Readonly<Record<GpuDevice['assessment']['verdict'], Style>> = {
  ready: 'green',
  'needs-changes': 'cyan',
  risky: 'yellow',
  no: 'red',
}

function gpuText(terminal: Session['terminal'], gpu: GpuDevice, devices: readonly PciDevice[]): string {
  const name = (bdf: string): string => {
    const device = devices.find((one) => one.bdf === bdf)
    return device === undefined
      ? bdf
      : `${bdf} ${device.class}, driver ${device.driver ?? 'none'}, group ${device.iommu_group ?? 'none'}`
  }
  const { verdict, reasons } = gpu.assessment
  const head = `${highlight(terminal, 'bold', `${gpu.bdf} ${printable(gpu.model_name)}`)}  ${highlight(terminal, tones[verdict], verdict)}\n`
  return (
    head +
    listText([
      ['id', `${gpu.vendor_id}:${gpu.device_id}`],
      ['driver', gpu.driver ?? 'none'],
      ['group', gpu.iommu_group ?? 'none'],
      ['boot screen', gpu.boot_vga ? 'yes' : 'no'],
      ...gpu.functions.map((bdf): [string, string] => ['with', name(bdf)]),
      ...gpu.foreign.map((bdf): [string, string] => ['foreign', name(bdf)]),
      ...(gpu.quirks.length === 0 ? [] : [['quirks', gpu.quirks.join(', ')] as [string, string]]),
      ...reasons.map((reason): [string, string] => ['why', reason]),
    ])
  )
}

function devicesText(devices: readonly PciDevice[]): string {
  return tableText(devices, [
    ['ADDRESS', ({ bdf }) => bdf],
    ['ID', (device) => `${device.vendor_id}:${device.device_id}`],
    ['GROUP', (device) => device.iommu_group],
    ['DRIVER', ({ driver }) => driver],
    ['CLASS', (device) => device.class],
    ['NAME', (device) => `${device.vendor_name} ${device.device_name}`],
  ])
}
