#include "nas/stairs.h"

#include <math.h>
#include <string.h>

double stairs_gain(const double *point, int n, double error, double cost)
{
    double sum = 0, best = 1;
    for (int i = 0; i <= n; i++) {
        double next = i < n ? point[2 * i + 1] : 1;
        if (next > cost) {
            sum += (next - cost) * fmax(0, best - error);
            cost = next;
        }
        best = i < n ? fmin(best, point[2 * i]) : best;
    }
    return sum;
}

void stairs_insert(double *point, int n, double error, double cost)
{
    int at = n;
    for (; at > 0 && point[2 * at - 1] > cost; at--) {
        memcpy(point + 2 * at, point + 2 * at - 2, 2 * sizeof *point);
    }
    point[2 * at] = error;
    point[2 * at + 1] = cost;
}
