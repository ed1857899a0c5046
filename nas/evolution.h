/*
 * evolution.h: NSGA-II [Deb2002] over a search space, asked and told; the searches mo-hdnas and
 * nsga2 are rows around it. Objectives: score up, cost down and, if diversity is asked for, chi up
 * [Sinha2024].
 *
 * chi(a, P) changes with the population: parents and children are compared with chi taken over all
 * of them together, and the survivors' chi is taken anew over the survivors, for the next parents
 * and for the log. A chi is never kept. Infeasible members have none and do not count in the
 * others'.
 *
 * Presets. "paper": the genome is one real in [0, 1] for each choice of each gene, the largest
 * wins; SBX eta 15 p .7, polynomial mutation eta 20 p .2 a variable; tournaments by dominance, then
 * crowding; no two equal architectures among parents and children. "default": genes are crossed
 * uniformly (p .9) and redrawn (p 1 / genes), tournaments by rank, then crowding, nothing is asked
 * twice in a whole search.
 *
 * "Equal" is equal in every gene. Cells of one isomorphism class differ in cost and in trained
 * accuracy (the true front of NAS-Bench-201 over class representatives alone loses .011 of its
 * hypervolume on the FPGA, CIFAR-10), and the runner's cache answers their score at once.
 */
#ifndef NAS_EVOLUTION_H
#define NAS_EVOLUTION_H

#include "nas/search.h"

size_t evolution_state_bytes(const struct space *s, const struct search_options *o);
void evolution_init(void *state, const struct space *s, const struct search_options *o,
                    bool diversity, struct arena *keep);
int evolution_ask(void *state, struct arch *out, int max);
void evolution_tell(void *state, const struct arch *archs, const struct verdict *verdicts, int n);
int evolution_population(const void *state, struct search_member *out, int max);
int evolution_generation(const void *state);

#endif
