import type { GpuDevice, PciDevice } from '../devices.ts'
import type { SystemInfo } from '../system-info.ts'
import type { VmConfig, VmDevice, VmStats } from '../virtual-machine.ts'

/** An AMD machine with Arch Linux; give what should be otherwise. */
export function sampleSystem(changes: Partial<SystemInfo> = {}): SystemInfo {
  return {
    bootloader: 'grub',
    kernel_version: { major: 6, minor: 12, patch: 9, full_version: '6.12.9-arch1-1' },
    kernel_parameters: ['root=/dev/sda2', 'console=tty0', 'console=ttyS0', 'iommu=pt'],
    cpu_vendor: 'amd',
    cpu_model: 'AMD Ryzen 9 5950X 16-Core Processor',
    virtualization_enabled: true,
    iommu: { state: 'on', groups: 24, reason: 'there are 24 groups' },
    init_system: 'systemd',
    initramfs_system: 'mkinitcpio',
    secure_boot_enabled: false,
    distribution: { name: 'Arch Linux', version: 'rolling', id: 'arch', family: 'arch' },
    ...changes,
  }
}

/** A GeForce RTX 3080 that nothing drives; give what should be otherwise. */
export function sampleGpu(changes: Partial<GpuDevice> = {}): GpuDevice {
  return {
    bdf: '0000:01:00.0',
    slot: '0000:01:00',
    vendor_id: '10de',
    device_id: '2206',
    vendor: 'nvidia',
    model_name: 'GeForce RTX 3080',
    family: 'GeForce 30',
    architecture: 'Ampere',
    is_integrated: false,
    boot_vga: false,
    vram_size: 10_240,
    driver: null,
    iommu_group: 14,
    functions: ['0000:01:00.1'],
    foreign: [],
    capabilities: {
      supports_reset: true,
      requires_acs_override: false,
      supports_fbc: false,
      supports_gvt: false,
      has_reset_bug: false,
      needs_code_43_workaround: true,
      supports_vbios_loading: true,
    },
    quirks: [],
    assessment: { verdict: 'ready', reasons: ['it is alone in its group'] },
    ...changes,
  }
}

/** The graphics function of the {@link sampleGpu}; give what should be otherwise. */
export function samplePciDevice(changes: Partial<PciDevice> = {}): PciDevice {
  return {
    bdf: '0000:01:00.0',
    slot: '0000:01:00',
    vendor_id: '10de',
    device_id: '2206',
    subsystem_vendor_id: '1043',
    subsystem_device_id: '87b8',
    class_code: '030000',
    class: 'VGA compatible controller',
    vendor_name: 'NVIDIA Corporation',
    device_name: 'GA102 [GeForce RTX 3080]',
    driver: null,
    driver_override: null,
    iommu_group: 14,
    boot_vga: false,
    reset_methods: ['flr', 'bus'],
    physical_function: null,
    virtual_functions: [],
    sysfs_path: '/sys/bus/pci/devices/0000:01:00.0',
    ...changes,
  }
}

/** The {@link sampleGpu} as a machine is given it; give what should be otherwise. */
export function sampleVmDevice(changes: Partial<VmDevice> = {}): VmDevice {
  return {
    bdf: '0000:01:00.0',
    vendor_id: '10de',
    device_id: '2206',
    is_gpu: true,
    managed: true,
    rom_bar: null,
    rom_file: null,
    ...changes,
  }
}

/** A machine that is given the {@link sampleGpu} and its sound; give what should be otherwise. */
export function sampleVmConfig(changes: Partial<VmConfig> = {}): VmConfig {
  return {
    name: 'win11',
    uuid: '5c0f0b5e-4f8e-4d0e-9f2c-1a2b3c4d5e6f',
    hypervisor: 'kvm',
    memory_mib: 16_384,
    vcpus: 8,
    machine: 'pc-q35-9.2',
    devices: [sampleVmDevice(), sampleVmDevice({ bdf: '0000:01:00.1', device_id: '1aef', is_gpu: false })],
    features: { kvm_hidden: false, hypervisor_hidden: false, hyperv_vendor_id: null },
    extra_arguments: [],
    ...changes,
  }
}

/** A run of the {@link sampleVmConfig} of one hour; give what should be otherwise. */
export function sampleVmStats(changes: Partial<VmStats> = {}): VmStats {
  return {
    name: 'win11',
    uuid: '5c0f0b5e-4f8e-4d0e-9f2c-1a2b3c4d5e6f',
    started_at: '2026-11-21T10:00:00Z',
    ended_at: '2026-11-21T11:00:00Z',
    runtime_seconds: 3600,
    ended_by: 'shutdown',
    devices: [sampleVmDevice()],
    ...changes,
  }
}
