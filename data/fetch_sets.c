/* fetch_sets.c: the table of data sets that can be fetched. */
#include "data/fetch.h"

#include <stdio.h>
#include <string.h>

/*
 * Addresses and MD5 sums as their makers publish them (CIFAR:
 * https://www.cs.toronto.edu/~kriz/cifar.html, Fashion-MNIST: its README). MNIST's and the unpacked
 * CIFAR-10 files' SHA-256 were taken from copies with the published MD5 sums.
 */
static const struct fetch_set fetch_sets[] = {
    {
        .name = "cifar10",
        .bases = {"https://www.cs.toronto.edu/~kriz/"},
        .files = {{"cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"}},
        .members =
            {
                {"data_batch_1.bin", 30730000,
                 "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
                {"data_batch_2.bin", 30730000,
                 "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
                {"data_batch_3.bin", 30730000,
                 "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
                {"data_batch_4.bin", 30730000,
                 "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
                {"data_batch_5.bin", 30730000,
                 "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
                {"test_batch.bin", 30730000,
                 "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
            },
    },
    {
        .name = "cifar100",
        .bases = {"https://www.cs.toronto.edu/~kriz/"},
        .files = {{"cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"}},
        .members = {{"train.bin", 153700000, NULL}, {"test.bin", 30740000, NULL}},
    },
    {
        .name = "mnist",
        .bases = {"http://yann.lecun.com/exdb/mnist/",
                  "https://ossci-datasets.s3.amazonaws.com/mnist/"},
        .files =
            {
                {"train-images-idx3-ubyte.gz",
                 "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
                {"train-labels-idx1-ubyte.gz",
                 "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
                {"t10k-images-idx3-ubyte.gz",
                 "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
                {"t10k-labels-idx1-ubyte.gz",
                 "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
            },
    },
    {
        .name = "fashion-mnist",
        .bases = {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"},
        .files =
            {
                {"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"},
                {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
                {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"},
            },
    },
};

int fetch_sets_count(void)
{
    return (int)N_ELEMS(fetch_sets);
}

const struct fetch_set *fetch_sets_at(int i)
{
    ASSERT(i >= 0 && i < fetch_sets_count());
    return &fetch_sets[i];
}

bool fetch_sets_find(const struct fetch_set **set, const char *name, struct err *e)
{
    char names[100] = "";
    for (int i = 0; i < fetch_sets_count(); i++) {
        if (strcmp(fetch_sets[i].name, name) == 0) {
            *set = &fetch_sets[i];
            return true;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", fetch_sets[i].name);
    }
    return err_set(e, ERR_USAGE, "cannot fetch \"%.60s\": expected one of %s", name, names);
}
