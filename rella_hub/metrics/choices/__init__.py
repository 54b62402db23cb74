"""The metrics of choices: each file here is one `evaluate.Metric` for questions with candidates, and adding a file is registering it.

They declare what the metrics of rella_hub/metrics/ declare, and take other columns: `predictions` holds a list of scores for each question,
one a candidate, the higher the likelier, or an empty list where a system gave no valid answer; `references` the place of the target among
them, from 0. A system that only names an item gives it 1 and the others 0. Of equal scores every order is as likely: a metric is the mean
over them. What `evaluate.load` loads is one file alone, so each repeats its few lines of checks.
"""
