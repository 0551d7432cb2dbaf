import type { PermissionVocabulary } from '@backplane/sdk'

/** What plugins of this host may ask for, beside files, programs and network. */
export const permissions: PermissionVocabulary = {
  'pci:read': {
    sentence: 'see every PCI device of this machine, its driver and group',
    risk: 'low',
    reason: 'it reads what lies there and changes nothing',
  },
  'vfio:bind': {
    sentence: 'take devices away from their drivers; each time a person is asked first',
    risk: 'high',
    reason: 'a device taken away stops working for everybody else, the screen included',
  },
  'vm:read': {
    sentence: 'see how virtual machines ran, and what they use while they run',
    risk: 'low',
    reason: 'it reads what lies there and changes nothing',
  },
  'vm:edit': {
    sentence: 'change the configuration of virtual machines before they start',
    risk: 'medium',
    reason: 'a machine may not start, or be given what it should not have',
  },
  'boot:edit': {
    sentence: "change the kernel's command line; each time a person is asked first",
    risk: 'high',
    reason: 'the machine may not start any more',
  },
}
