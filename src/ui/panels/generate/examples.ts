/** Prompts the bundled model follows; the first is the one to try first. */
export const examplePrompts: readonly string[] = [
  'a dog barks and then a telephone rings',
  'birds sing while rain falls',
  'thunder then rain',
  'footsteps before a door slams',
  'a siren while a helicopter flies',
  'a train passes and then a bell rings',
  'ocean waves and wind',
  'a car engine starts, then a horn',
  'a piano followed by applause',
  'a heartbeat while a clock ticks',
];
