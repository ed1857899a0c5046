"""The words of docs/PRUNING.md: what was done, and what the numbers say, whatever they are."""
import math

HEAD = """# Disentanglement and pruning

Made by `bench/experiments/pruning_study.py`: every number, chart and verdict below is of the runs it found.

Shneider et al. [Shneider2023] join a Beta-VAE [Higgins2017] with a classifier on its code, prune the network by
magnitude, and ask whether a more disentangled code leaves more to prune. They end without an answer, for want of known
factors, a metric, epochs and seeds. This is the same experiment on our own engine, with all of these.

"""

METHOD = """## What was done

**Network.** Three 3x3 convolutions with stride 2 (16, 32, 32 channels, batch norm, ReLU), a hidden layer of 128, a code
of 16 (`mu`, and `logvar` for the draw), a linear classifier on the code, a decoder of two doublings (32, 16).
loss = reconstruction + beta KL + c cross-entropy; sums over pixels (binary cross-entropy; half squared distance of
normalised pixels for CIFAR-10) and dimensions, means over images; beta rises over the first fifth. c makes the network
learn its classes at every beta: 100 (MNIST, Fashion-MNIST), 500 (sprites), 1000 (CIFAR-10). `plain` is the same
classifier without draw and decoder, `bottleneck` has the draw and beta = 1 but no decoder. Adam, 0.002 down a cosine.
These weights were set after a first pilot of 19 models (c = 20, sprites 100), in which the VAEs of CIFAR-10 stayed at 27
to 30 % and those of sprites near chance from beta = 4 on.

**Sizes** are small so that there can be seeds: 8,000 images and 5 or 6 epochs (sprites 6,000 and 12), 2,000 test images.
The accuracies are therefore far from the best these networks can do; everything is relative to the same network's own
accuracy before pruning.

**Pruning.** Of what is deployed: convolutions, hidden layer, `mu`, classifier. *One shot*: the dense network at each
sparsity, no training after. *Iterative*: each step prunes the network of the step before and trains it for one epoch of
2,500 images with the same loss. *left* is the share of weights left where accuracy has first fallen one point below the
dense network's (between two levels: on a line over the logarithm of the share). *area* is the mean of accuracy over
dense accuracy along that logarithm. Differences between models are of the same seed, in halvings: +1 needs half as many
weights. Intervals are 95 % (Student) over seeds, of correlations 95 % by bootstrap over models.

A network that has not learned its classes cannot lose them: models within 1.5 times chance are named above and
left out of everything but `models.csv`.

"""

WORDS = {
    "verdicts": "For each set and schedule the beta above 0 that differs most from beta = 0, in halvings of the weights "
                "needed.\nIt is chosen after seeing all of them: its interval is the wider one that the best of so many "
                "needs (Bonferroni).\n",
    "criteria": "All by the same rule on the same dense networks. L2 ranks single weights as L1 does.\n",
    "rewinding": "Lottery tickets [Frankle2019]: plain networks, L1 over all layers, iteratively; after each pruning the "
                 "weights that\nstay are put back to what they were before training or after its first epoch, or go on as "
                 "they are. All are then trained\nfor five epochs (four from epoch 1 on) of 8,000 images, the learning rate "
                 "down a cosine from 0.002 when rewound, from 0.001\nwhen not. Test accuracy in percent.\n",
    "channels": "Channels and hidden units really removed, iteratively by mean L1 over all layers, one epoch after each "
                "step;\ntest accuracy in percent by share of channels left.\n",
    "metrics": "docs/METRICS.md defines them; means over seeds, codes of the test images, against five known factors.\n"
               "These are the networks of the study: small decoders, trained shortly, the class in the loss.\n",
    "correlations": "Spearman's rho between a metric and the halvings of the weights until one point of loss is reached "
                    "(more: easier\nto prune), across all VAEs of a set. Beta moves both, so the second number of each "
                    "pair takes the mean of every beta\nout first: does the more disentangled of two networks of equal "
                    "beta prune further?\n",
}

PUBLISHED_ANSWER = """Is a Beta-VAE's code the more disentangled one, as published? Where no label takes part (sprites), beta = %s against
beta = 1: MIG %s (above in %d of %d seeds), DCI disentanglement %s.

"""

PUBLISHED = """As [Higgins2017] and [Locatello2019] publish it: no labels, 10 dimensions, Bernoulli pixels, dSprites' five factors (here
of 32 x 32 pixels, 50,000 images, 10 epochs of batches of 64, Adam, 0.001 down a cosine, no warm-up of beta):
`bench/experiments/sprites_metrics.py`. Codes of 6,000 test images; means over seeds with 95 % intervals, the number of
seeds in brackets. The decoder sees the whole code through two layers before it unfolds the image. Decoders with one such
layer, like those of the study above, fold the plane of positions into more than two dimensions: MIG stayed between 0.02 and
0.05 in pilots, at beta = 4 with three such decoders and in shorter runs at 0 to 16.

"""

BASELINES = """## Classifiers that nothing is spared for

The study below needs many models and keeps them small; this is what such classifiers reach with all images, SGD with momentum
down one cycle, random crops (and flips, but for MNIST): `bench/experiments/classifier_baselines.sh`. Accuracy on the test
images after the last epoch; the best epoch is chosen on these same images and is shown because `best.safetensors` is it.

"""

SPEED = """### What is faster

The CIFAR-10 classifier above, the same share of every layer cut, step after step, some epochs of all images after each
(Adam, 0.001 down a cosine, crops and flips as before); the dense row was not trained further. One seed. Milliseconds of one
thread, processor time, `hdnas bench net:ARCH:n1:infer` and `n32`: least of 15 timings, median of three such calls, on a
machine that other programs used as well. Masks alone save no time: the kernels are dense.

"""

COST = """Processor seconds of one thread, seed 1, on a machine that other programs used as well: opening the data and measuring
once; training; metrics and pictures; the rounds of a curve. What draw and decoder take is the difference to the bottleneck,
whose encoder and head are the same. Inside the training (a profile of MNIST, beta = 1) 56 % are convolutions and products,
15 % batch norm, 9 % copies, 7 % activations and the loss of the pixels.

"""

SPARSE = """Skipping single weights (`bench/bench_sparse.c`: compressed rows, 32 images, one thread) pays only where more than
about 93 % are gone, far beyond the one point of loss of the tables above, so the engine has no such path. A file of
compressed rows is smaller from half on.

"""


def answer(n_models, n_seeds, counts, verdicts, correlations, near_chance):
    """verdicts: (set, schedule, label, mean, half, n); correlations: (set, metric, curve, rho, lo, hi) within beta."""
    text = "## The answer\n\n%d models over four data sets; least seeds a set: %s.\n" % (
        n_models, ", ".join("%s %d" % c for c in counts))
    if n_seeds < 5:
        text += ("**This is a pilot, not an answer: at most %d of 5 seeds of the models have been run so far** (the script "
                 "goes on\nwhere it stopped).\n\n" % n_seeds)
    if near_chance:
        text += "Left out, within 1.5 times chance: %s.\n\n" % ", ".join(near_chance)
    sure = [v for v in verdicts if v[3] - v[4] > 0]
    worse = [v for v in verdicts if v[3] + v[4] < 0]
    if verdicts:
        text += ("Does a beta above 0 leave more to prune than beta = 0? Surely (95 %%) in %d of %d combinations of data "
                 "set and schedule,\nsurely less in %d, even for the best beta; chance alone would give about %.1f." %
                 (len(sure), len(verdicts), len(worse), 0.025 * len(verdicts)))
        for name, schedule, label, mean, half, n in sure:
            text += "\n- %s, %s: %s needs 2^%.2f = %.1f times fewer weights (± %.2f halvings, %d seeds)." % (
                name, schedule, label, mean, 2 ** mean, half, n)
        text += "\n\n"
    if correlations:
        strong = [c for c in correlations if c[4] > 0 or c[5] < 0]
        text += ("Is it the disentanglement? Of %d correlations between a metric and prunability with beta taken out, %d have "
                 "an\ninterval that excludes 0; chance alone would give about %.0f." %
                 (len(correlations), len(strong), 0.05 * len(correlations)))
        for name, metric, curve, rho, lo, hi in sorted(strong, key=lambda c: -abs(c[3]))[:5]:
            text += "\n- %s, %s, %s: %+.2f (%+.2f .. %+.2f)." % (name, metric.replace("_", " "), curve, rho, lo, hi)
        text += "\n\n"
    return text


def at_equal_accuracy(dense, last):
    """Of the smallest network within one point of the dense one."""
    if last is dense:
        return "None of the smaller networks stays within one point of the dense one.\n"
    times = lambda key: float(dense[key]) / float(last[key])
    return ("Within one point of the dense network: %g %% of the channels, %.1f times fewer parameters, %.1f times fewer\n"
            "multiply-adds, %.2f times faster for one image and %.2f for 32.\n" %
            (100 - 100 * float(last["gone"]), times("params"), times("macs"), times("ms1"), times("ms32")))


def show(value, half=math.nan, digits=1, scale=1.0):
    if math.isnan(value):
        return "-"
    text = "%.*f" % (digits, value * scale)
    return text if math.isnan(half) else "%s ± %.*f" % (text, digits, half * scale)


def table(heads, lines):
    out = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(out + ["| " + " | ".join(line) + " |" for line in lines]) + "\n"
