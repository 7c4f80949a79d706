# SPDX-License-Identifier: BSD-2-Clause
"""
train_score.py - learns user/detect/score_table.h; needs Debian's python3-sklearn.

    train_score.py FOLDER

FOLDER has the features that train.sh made. Each series weighs the same, whatever its length.
Features that may only push one way are held to that: it costs little on the sets learned from and
gains on sets never seen.
"""
import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

WEIGHTS = {'machines': 4, 'machines_copies': 2, 'pods': 5, 'pods_copies': 2.5, 'gen': 1.5,
           'wide': .7, 'extra': 1, 'crowd': 1.5, 'week': .7}
TREES, LEAVES, RATE = 300, 8, .08

# In the order of feature.h; + may only raise the score, - only lower it.
FITS = 'floor_run floor_window floor_half mean_run mean_window floor_sixth'.split()
OF_FIT = 'growth+ rate+ z+ low+ tau+ late+ early kept+ spread+ jump- drawdown-'.split()
PAST = 'record+ record_z+ precedent- place+'.split()
ONSET = 'at gain z+ rise+ span'.split()
FEATURES = ([f + '.' + x for f in FITS for x in OF_FIT] + ['age', 'lift'] + PAST + PAST +
            ONSET + ONSET +
            'load_known load_keep+ load_r2- load_rest+ wobble run_age run_late runs'.split() +
            ['step_low+'] * 5 + ['step_high'] * 5 +
            'r2_window+ r2_run+ floor_r2_window+ floor_r2_run+ long+ over_step_window+'.split() +
            'over_step_run+ cross'.split() +
            'days day_low+ day_mean+ day_high days_low+ days_mean+ days_high'.split() +
            'week_record+ week_record_z+ week_mean_record+'.split() +
            ['week_' + x for x in OF_FIT + OF_FIT])


def signs():
    return [{'+': 1, '-': -1}.get(name[-1], 0) for name in FEATURES]


def rows_of(path):
    data = open(path, 'rb').read()
    cnt = int(np.frombuffer(data[:4], '<i4')[0])
    assert cnt == len(FEATURES), 'feature.h and this file do not agree'
    rows = np.frombuffer(data[4:], '<f4').reshape(-1, 6 + cnt)
    return rows[:, :6], rows[:, 6:]


def gather(folder):
    x, y, w = [], [], []
    for name, weight in WEIGHTS.items():
        head, features = rows_of('%s/%s.feat' % (folder, name))
        ids, keep = head[:, 0].astype(int), head[:, 2] >= 0
        x.append(features[keep])
        y.append(head[keep, 2])
        w.append((90. * weight / np.bincount(ids)[ids])[keep])
    return np.concatenate(x), np.concatenate(y), np.concatenate(w)


def number(x):
    text = '%.9g' % np.float32(x)
    return text + ('f' if '.' in text or 'e' in text else '.0f')


def print_table(model, judgements):
    nodes, roots = [], []
    for (tree,) in model._predictors:
        roots.append(len(nodes))
        for n in tree.nodes:
            if n['is_leaf']:
                nodes.append('{ %s, LEAF, 0, 0 }' % number(n['value']))
            else:
                nodes.append('{ %s, %d, %d, %d }' % (number(n['num_threshold']), n['feature_idx'],
                                                     n['left'], n['right']))
    print('/* SPDX-License-Identifier: BSD-2-Clause */\n/*\n'
          ' * score_table.h - written by bench/train/train.sh; do not edit.\n *\n'
          ' * %d trees of %d leaves from %d judgements.\n */' % (TREES, LEAVES, judgements))
    print('static const double score_base = %.9g;\n' % float(np.ravel(model._baseline_prediction)[0]))
    print('static const unsigned short score_roots[] = {')
    for i in range(0, len(roots), 12):
        print('\t' + ', '.join(map(str, roots[i:i + 12])) + ',')
    print('};\n\nstatic const struct node score_nodes[] = {')
    for i in range(0, len(nodes), 3):
        print('\t' + ', '.join(nodes[i:i + 3]) + ',')
    print('};')


if __name__ == '__main__':
    x, y, w = gather(sys.argv[1])
    model = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=RATE, monotonic_cst=signs(),
        min_samples_leaf=100, l2_regularization=20, max_bins=128, random_state=0,
        early_stopping=False)
    model.fit(x, y, sample_weight=w)
    print_table(model, len(y))
