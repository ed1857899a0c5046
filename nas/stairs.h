/* stairs.h: the staircase that points in the unit square dominate, both coordinates minimised. */
#ifndef NAS_STAIRS_H
#define NAS_STAIRS_H

/* Points point[n, 2] are (error, cost), ascending cost; some may be dominated. */

/* The hypervolume up to (1, 1) that one more point would add. O(n). */
double stairs_gain(const double *point, int n, double error, double cost);

/* Puts a point in its place, behind those of the same cost; there must be room. O(n). */
void stairs_insert(double *point, int n, double error, double cost);

#endif
