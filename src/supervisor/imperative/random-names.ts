/** Names for containers whose client gives none: an adjective and a tool. */
const ADJECTIVES =
  'able agile amber ample apt bold brave bright brisk calm clear clever cool crisp deft eager early easy fair fast fine firm fleet fond frank fresh gentle glad grand happy hardy honest humble jolly keen kind light lively loyal lucid mellow merry mild modest neat nimble noble plain polite prompt proud pure quick quiet rapid ready regal sharp shiny silent simple sleek smart smooth snappy solid sound spry stable steady still strong sturdy sunny sure swift tidy trim true upbeat vivid warm wise witty young zesty';
const NOUNS =
  'anchor anvil apron auger awl axe barrel basin beacon bellows bench bolt bracket brush bucket cable caliper chisel clamp compass crane crate crowbar drill easel engine file flask forge funnel gauge gear gimlet hammer handle hatchet hinge hoist jack kettle kiln ladder lamp lantern lathe level lever loom magnet mallet mill mortar needle nozzle oar paddle pestle pickaxe pincer pipe piston pivot plane pliers plough plumb pulley pump punch quill rake ratchet rivet rudder saddle sander sail saw scale scythe shears shovel shuttle sickle sieve socket spade spanner spindle spool spring stapler stencil tongs torch trowel tweezers valve vise wedge wheel whisk winch wrench';

const adjectives = ADJECTIVES.split(' ');
const nouns = NOUNS.split(' ');

function pick(words: readonly string[], random: () => number): string {
  return words[Math.floor(random() * words.length)] ?? '';
}

/** @param attempt earlier names that were taken; later ones end with a number */
export function randomName(attempt: number, random: () => number = Math.random): string {
  const name = `${pick(adjectives, random)}_${pick(nouns, random)}`;
  return attempt < 4 ? name : `${name}${Math.floor(random() * 10 ** Math.min(attempt, 9))}`;
}
