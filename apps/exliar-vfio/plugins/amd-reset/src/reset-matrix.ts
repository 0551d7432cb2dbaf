/**
 * How the cards of one family are reset.
 * `vendor-reset`: only by the module of that name, as the method `device_specific` ·
 * `kernel`: by what the kernel has (`flr`, `bus`) ·
 * `unreliable`: by what the kernel has, and for part of the boards that does not work ·
 * `none`: nothing is known to work.
 */
export type ResetWay = 'vendor-reset' | 'kernel' | 'unreliable' | 'none'

/** One family of the matrix. */
export interface ResetFamily {
  readonly family: string
  /** Names people know its cards by. */
  readonly sold_as: string
  /** Device ids, lower case. */
  readonly ids: readonly string[]
  readonly way: ResetWay
  /** What to know beside that, in sentences. */
  readonly notes: readonly string[]
}

const splitIds = (text: string): readonly string[] => text.split(' ')

/**
 * AMD's families by how they are reset. Ids of the families with `vendor-reset` are those the module itself knows.
 * Source: gnif/vendor-reset, device table and list of supported devices; its threads 34, 35, 65, 97 and 101 for the others; ids of these: Linux, amdgpu_drv.c.
 */
export const resetMatrix: readonly ResetFamily[] = [
  {
    family: 'Polaris 10',
    sold_as: 'RX 470, 480, 570, 580, 590',
    ids: splitIds('67c0 67c1 67c2 67c4 67c7 67c8 67c9 67ca 67cc 67cf 67d0 67df 6fdf'),
    way: 'vendor-reset',
    notes: [],
  },
  {
    family: 'Polaris 11',
    sold_as: 'RX 460, 560',
    ids: splitIds('67e0 67e1 67e3 67e7 67e8 67e9 67eb 67ef 67ff'),
    way: 'vendor-reset',
    notes: [],
  },
  {
    family: 'Polaris 12',
    sold_as: 'RX 540, 550',
    ids: splitIds('6980 6981 6985 6986 6987 6995 6997 699f'),
    way: 'vendor-reset',
    notes: [],
  },
  {
    family: 'Vega 10',
    sold_as: 'RX Vega 56, 64, Frontier Edition',
    ids: splitIds('6860 6861 6862 6863 6864 6867 6868 6869 686a 686b 686c 686d 686e 686f 687f'),
    way: 'vendor-reset',
    notes: [],
  },
  {
    family: 'Vega 20',
    sold_as: 'Radeon VII, Instinct MI50, MI60',
    ids: splitIds('66a0 66a1 66a2 66a3 66a4 66a7 66af'),
    way: 'vendor-reset',
    notes: ['The module knows this family, but its makers say that they cannot always reset it.'],
  },
  {
    family: 'Arcturus',
    sold_as: 'Instinct MI100',
    ids: ['738c'],
    way: 'vendor-reset',
    notes: ['The module treats it as a Vega 20; that was hardly tested.'],
  },
  {
    family: 'Navi 10',
    sold_as: 'RX 5600 XT, 5700, 5700 XT',
    ids: splitIds('7310 7312 7318 7319 731a 731b 731e 731f'),
    way: 'vendor-reset',
    notes: [],
  },
  { family: 'Navi 12', sold_as: 'Pro 5600M', ids: splitIds('7360 7362'), way: 'vendor-reset', notes: [] },
  {
    family: 'Navi 14',
    sold_as: 'RX 5300, 5500 XT, Pro 5300',
    ids: splitIds('7340 7341 7347 734f'),
    way: 'vendor-reset',
    notes: [],
  },
  {
    family: 'Rembrandt',
    sold_as: 'Radeon 680M',
    ids: ['1681'],
    way: 'vendor-reset',
    notes: ["A processor's own graphics: the guest also needs a copy of its ROM."],
  },
  {
    family: 'Navi 21',
    sold_as: 'RX 6800, 6800 XT, 6900 XT, 6950 XT',
    ids: splitIds('73a0 73a1 73a2 73a3 73a5 73a8 73a9 73ab 73ac 73ad 73ae 73af 73bf'),
    way: 'kernel',
    notes: ['Some boards still start only one guest after each start of the host.'],
  },
  {
    family: 'Navi 22',
    sold_as: 'RX 6700 XT, 6750 XT',
    ids: splitIds('73c0 73c1 73c3 73da 73db 73dc 73dd 73de 73df'),
    way: 'kernel',
    notes: [],
  },
  {
    family: 'Navi 23',
    sold_as: 'RX 6600, 6600 XT, 6650 XT',
    ids: splitIds('73e0 73e1 73e2 73e3 73e8 73e9 73ea 73eb 73ec 73ed 73ef 73ff'),
    way: 'unreliable',
    notes: [],
  },
  { family: 'Navi 24', sold_as: 'RX 6400, 6500 XT', ids: splitIds('7420 7421 7422 7423 7424 743f'), way: 'kernel', notes: [] },
  { family: 'Navi 31', sold_as: 'RX 7900 XT, 7900 XTX, 7900 GRE', ids: splitIds('7448 744c 745e'), way: 'unreliable', notes: [] },
  {
    family: 'Navi 32',
    sold_as: 'RX 7700 XT, 7800 XT',
    ids: splitIds('7470 747e'),
    way: 'unreliable',
    notes: ['There are builds of vendor-reset by others that know this family.'],
  },
  { family: 'Navi 33', sold_as: 'RX 7600', ids: splitIds('7480 7483 7489 7499'), way: 'unreliable', notes: [] },
  {
    family: 'Hawaii',
    sold_as: 'R9 290, 290X, 390, 390X',
    ids: splitIds('67a0 67a1 67a2 67a8 67a9 67aa 67b0 67b1 67b8 67b9 67ba 67be'),
    way: 'none',
    notes: [],
  },
  {
    family: 'Tonga',
    sold_as: 'R9 285, 380, 380X',
    ids: splitIds('6920 6921 6928 6929 692b 692f 6930 6938 6939'),
    way: 'none',
    notes: [],
  },
  { family: 'Fiji', sold_as: 'R9 Fury, Fury X, Nano', ids: splitIds('7300 730f'), way: 'none', notes: [] },
]

const byId: ReadonlyMap<string, ResetFamily> = new Map(
  resetMatrix.flatMap((family) => family.ids.map((id): [string, ResetFamily] => [id, family])),
)

/** The family of a card of AMD; undefined for those the matrix does not know. */
export function resetFamily(deviceId: string): ResetFamily | undefined {
  return byId.get(deviceId)
}
